"""How each engine spells the SQL that a node writes."""
