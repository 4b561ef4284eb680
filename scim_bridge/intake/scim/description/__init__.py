"""Describes the SCIM endpoints in OpenAPI 3.1, from the routes that are served and the models that are read."""
