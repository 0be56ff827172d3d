"""A whole federation on loopback, from one folder: for demos, examples and other people's tests."""
