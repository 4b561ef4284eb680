"""What a reply means: conflicts, retries, isolation, patience. Pure functions from values to values."""
