"""/console: what operators see and do in a browser. Pages are rendered here; a module a topic in `pages`."""
