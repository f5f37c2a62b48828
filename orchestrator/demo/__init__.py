"""The demo: a small repository, a scripted worker, and the real loop."""
