"""Groups: what departments sign about them, and what members and officers do with them."""
