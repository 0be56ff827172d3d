"""The documentation: complete, built, and run."""
