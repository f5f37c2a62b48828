"""One attempt: its worker, what it uses, how it is judged, its log."""
