"""What the gateway does with texts and with departments' answers."""
