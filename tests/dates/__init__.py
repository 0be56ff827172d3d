"""Of which day data are: said at a load, told with every answer, never mixed unasked."""
