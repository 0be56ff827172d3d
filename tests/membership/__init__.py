"""Members: what they sign, what they pin, how they join."""
