"""A national federation on paper and in simulation: what a question costs, what is full first."""
