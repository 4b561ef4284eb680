"""The names of the SCIM resources that we keep, and of their schemas. What they are made of stands in `models`."""

USER = "User"
GROUP = "Group"

CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
DELIVERY = "urn:scim-bridge:2.0:Delivery"
