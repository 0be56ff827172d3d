"""The documentation as a site: what is written, and what is read off the code."""
