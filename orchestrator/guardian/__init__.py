"""The guardian: the small process that owns a worker's process tree."""
