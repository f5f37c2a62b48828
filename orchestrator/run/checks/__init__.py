"""Sets a workspace up and verifies what is in it."""
