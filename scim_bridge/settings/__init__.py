"""What the bridge is told: read once at the entry of a process, complete or refused with every problem named."""
