"""Adapters: ports to blocking tools and to the operating system."""
