"""The pure domain: no I/O, no Trio."""
