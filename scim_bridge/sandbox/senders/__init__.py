"""Senders that speak SCIM over real HTTP as Okta and Entra do, and remember what was accepted of them."""
