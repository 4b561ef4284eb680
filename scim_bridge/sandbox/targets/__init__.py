"""Simulated targets: real HTTP servers with state, the vendors' limits, and faults on demand."""
