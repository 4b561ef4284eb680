"""Looks up in HR systems whom an event only named: an HR system a module, and the loop around them."""
