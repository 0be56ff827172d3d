"""Groups: who takes part, notices, reports, polls, and everybody who should not."""
