"""Nouns and rules about one change: states, actions, codes, people. Pure: no I/O, no library but scim2-models."""
