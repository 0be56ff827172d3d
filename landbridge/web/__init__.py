"""What our web consoles share: the door, the sessions, the sign-in, the pages and their words."""
