"""MindTickle by SCIM 2.0, in bulk where it can; client calls out, mapping writes requests, replies reads answers."""
