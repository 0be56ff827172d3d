"""The benchmark's own tests: that rows are well-formed, never how fast anything is."""
