"""The department's own guard over its data."""
