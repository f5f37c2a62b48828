"""The backlog's domain: items on their way through pipelines. Pure values and decisions."""
