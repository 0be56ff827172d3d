"""Pooled questions: one total over departments, nobody's part shown."""
