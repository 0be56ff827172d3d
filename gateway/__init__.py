"""Asks, combines, remembers: the process that callers speak to."""
