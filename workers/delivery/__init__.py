"""The one loop that drains a lane: round, submit, settle, readback. The only place that knows policy and targets."""
