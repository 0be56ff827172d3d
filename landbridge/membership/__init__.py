"""Who belongs to a federation, with which keys, and how one proves that it spoke."""
