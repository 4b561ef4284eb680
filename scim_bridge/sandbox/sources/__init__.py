"""Invented HR systems: what they send in a month, and what must be true in the end."""
