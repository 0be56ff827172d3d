"""Cases of procedures: opened by callers, taken step by step by departments, kept durably."""
