"""Pooled questions: many departments, one total, nobody's part shown."""
