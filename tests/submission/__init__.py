"""Records that are handed in: checked, sealed, taken once, and seen by questions."""
