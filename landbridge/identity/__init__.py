"""Who speaks: callers by their token, peers by their certificate. Step 1 of a question's life."""
