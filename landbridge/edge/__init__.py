"""What both servers have at their edges: who speaks, how errors leave, how a server runs."""
