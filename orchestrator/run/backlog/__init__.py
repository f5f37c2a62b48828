"""The backlog at work: what decides about items, runs their phases and keeps the results."""
