"""The front door: HTTP in, answers out. The only home of flask."""
