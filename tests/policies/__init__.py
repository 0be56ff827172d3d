"""What may be known: contracts, access, disclosure."""
