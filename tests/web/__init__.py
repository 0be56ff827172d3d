"""What our web consoles share."""
