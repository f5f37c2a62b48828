"""OpenSpec: changes read from their Markdown files."""
