"""MindTickle: SCIM 2.0 as any service speaks it, with the company's header and a REST call for many new users."""
