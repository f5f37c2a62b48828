"""Story after story: what may begin, what came of it, how it ends."""
