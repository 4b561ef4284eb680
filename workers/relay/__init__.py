"""The relay: wakes due lanes and keeps house, a module a duty. Any number of relays may run."""
