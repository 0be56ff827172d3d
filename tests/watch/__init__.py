"""Standing questions."""
