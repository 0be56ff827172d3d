"""The gateway's web console: what auditors and officers look at, each look logged."""
