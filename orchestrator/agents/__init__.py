"""Workers: what does the job of a phase."""
