"""The console's pages, a module a topic; each has `install`, which adds its routes."""
