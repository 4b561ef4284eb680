"""The delivering side of SCIM Bridge: plans calls to targets, submits them, and settles what came back."""
