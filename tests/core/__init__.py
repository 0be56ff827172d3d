"""The question algebra, its bounds, its cost: pure values."""
