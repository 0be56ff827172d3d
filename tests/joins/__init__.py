"""Tables of one department, joined on the unit that all of them protect."""
