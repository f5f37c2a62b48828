"""Services: what drives an item from start to done."""
