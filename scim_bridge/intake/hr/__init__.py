"""HR systems at the door: a module a sender, which knows how it signs and what its events say."""
