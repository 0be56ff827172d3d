"""A department's desk: its officers' queue as web pages, on the machine of its node."""
