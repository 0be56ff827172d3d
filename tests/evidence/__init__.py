"""What the evidence room promises, attacked."""
