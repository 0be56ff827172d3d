"""A census that nobody reads row by row: what contributors, gateway and departments share of it."""
