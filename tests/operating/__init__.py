"""A server seen by its operator: health, traces, metrics, words, drain, doctor."""
