"""Any SCIM 2.0 service; service calls out, mapping and merging write requests, replies reads answers."""
