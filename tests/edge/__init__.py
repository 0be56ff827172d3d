"""What every server of ours has."""
