"""What happened: gathered from the records in one place, told as Markdown, HTML and plots."""
