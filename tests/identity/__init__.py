"""Attacks on identity: step 1 of a question's life."""
