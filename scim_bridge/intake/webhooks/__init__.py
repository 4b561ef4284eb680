"""What targets tell us by webhooks: whose signature it is, what it says, and what that makes us owe. Knows no flask."""
