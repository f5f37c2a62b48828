"""What is remembered of items: decisions in the store, content in git, and recovery from both."""
