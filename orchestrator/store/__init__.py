"""The durable record of one repository's decisions, in SQLite. Git keeps the content."""
