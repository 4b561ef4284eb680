"""What a sender's dialect means; calls recording."""
