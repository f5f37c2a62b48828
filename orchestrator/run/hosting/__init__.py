"""Where processes run: their environment, their credential, their confinement."""
