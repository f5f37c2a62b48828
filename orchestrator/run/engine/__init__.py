"""Owns the repository while work is done, and serves other terminals."""
