"""SCIM Bridge: receives provisioning events, records them durably, and wakes the workers that deliver them."""
