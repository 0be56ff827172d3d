"""The directory: who there is to ask, and what, as one caller may see it."""
