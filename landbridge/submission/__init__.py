"""Records that are handed in under a contract: described, checked, sealed, queued and sent."""
