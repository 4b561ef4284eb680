"""/api/v1: what operators can see and do, for programs. A module a topic; `operations` tells what an operation is."""
