"""What stands in for the outside world: simulated targets, senders that behave as the real ones, and their stories."""
