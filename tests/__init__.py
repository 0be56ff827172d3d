"""The check: stories, attacks and faults, room by room."""
