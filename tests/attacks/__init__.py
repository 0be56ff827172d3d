"""What must not work, and a positive control that it would work elsewhere."""
