"""How an item's work reaches its operator, and how that is taken back."""
