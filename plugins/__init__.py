"""First-party plugins, written only against public names."""
