"""The systems that we provision into. A folder a kind, each with its calls (client), mapping and replies."""
