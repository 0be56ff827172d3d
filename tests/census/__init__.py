"""A census that nobody reads row by row."""
