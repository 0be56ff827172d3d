"""Real processes, real gRPC, real TLS."""
