"""SQL interfaces: PEP 249, SQLAlchemy, Arrow Flight SQL."""
