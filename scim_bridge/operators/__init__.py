"""What an operator asks for: where the lanes stand, one person's history, the dead, and putting them back."""
