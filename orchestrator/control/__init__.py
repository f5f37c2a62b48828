"""The control socket: a running engine answers other terminals."""
