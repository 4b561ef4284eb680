"""Measures what the bridge promises of its speed: the real front door, real databases, and bars to hold."""
