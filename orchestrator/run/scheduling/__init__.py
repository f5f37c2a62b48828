"""Works on the backlog: the scheduler, and what it runs for each item."""
