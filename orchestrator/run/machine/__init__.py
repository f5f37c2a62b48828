"""The phase machine at work: commands that bring branches through phases, and git for them."""
