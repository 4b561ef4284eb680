"""SCIM 2.0 as real senders speak it: storage, protocol and tolerances. Knows no web framework."""
