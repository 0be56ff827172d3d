"""Questions across departments: linked tables, from the text to what everybody saw."""
