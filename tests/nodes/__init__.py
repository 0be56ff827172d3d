"""What a node lets out."""
