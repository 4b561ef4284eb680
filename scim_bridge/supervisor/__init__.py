"""`scim-bridge up`: everything on one machine, started, watched, restarted and stopped in order."""
