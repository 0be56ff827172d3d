"""The protocols between departments, each against its definition and against an attacker."""
