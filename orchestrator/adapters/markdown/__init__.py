"""Plain Markdown task lists."""
