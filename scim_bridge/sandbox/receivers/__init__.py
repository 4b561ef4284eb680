"""Receivers of what the bridge tells: stand-ins for a pager, a chat or a script of the operators' own."""
