"""Proof by breaking: real processes are killed, stopped and cut off in the middle of a round of delivery."""
