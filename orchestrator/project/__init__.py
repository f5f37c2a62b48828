"""What a project declares about itself: how it is set up and verified. Blocking, light reads."""
