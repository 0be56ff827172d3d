"""What may be known. Pure: values in, verdicts out; no socket, file, clock or noise of its own."""
