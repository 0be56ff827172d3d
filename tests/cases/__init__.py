"""Cases: what a procedure may do, how a case goes on, what a crash leaves, who can read what."""
