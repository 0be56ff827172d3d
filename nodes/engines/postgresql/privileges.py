"""What the node's role in PostgreSQL can do beyond reading the node's own tables: nothing, or no
start.

Asked of the server's catalogues, which answer for everything that the role could reach: through
PUBLIC, through another role that it belongs to, or because something is its own. Source:
PostgreSQL 15, sections 5.7, 5.8, 9.26 and 22.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nodes.engines.postgresql.connection import Connection

MOST_NAMED: Final = 5

_ROLE: Final = """
SELECT rolname::text, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
  current_setting('server_encoding')
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""
_MEMBER: Final = """
SELECT rolname::text FROM pg_catalog.pg_roles
WHERE rolname <> current_user AND pg_has_role(current_user, oid, 'MEMBER') ORDER BY rolname
"""
_USER: Final = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
_READABLE: Final = f"""
SELECT n.nspname::text, c.relname::text, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_USER} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND has_any_column_privilege(c.oid, 'SELECT')
ORDER BY 1, 2
"""
_WRITABLE: Final = f"""
SELECT n.nspname::text || '.' || c.relname::text
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_USER} AND (
  pg_has_role(current_user, c.relowner, 'USAGE')
  OR CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE')
     WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN
       has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES')
     ELSE false END)
ORDER BY 1
"""
_CREATING: Final = """
SELECT 'database ' || current_database() WHERE
  has_database_privilege(current_database(), 'CREATE, TEMPORARY')
UNION ALL SELECT 'schema ' || nspname::text FROM pg_catalog.pg_namespace
  WHERE has_schema_privilege(oid, 'CREATE')
"""
_DEFINER: Final = f"""
SELECT n.nspname::text || '.' || p.proname::text
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE {_USER} AND p.prosecdef AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1
"""


def excess(session: Connection, schema: str, contracts: Sequence[str]) -> list[str]:
    """What the role can do that a node's must not, a clause each; raises Failed.

    Its tables are those of `schema` whose comment, which loading writes, is one of `contracts`.
    """
    found = []
    ((role, superuser, bypass, roles, databases, replication, encoding),) = session.execute(_ROLE)
    for wrong, what in (
        (superuser, "is a superuser"),
        (bypass, "bypasses row-level security"),
        (roles, "can create roles"),
        (databases, "can create databases"),
        (replication, "can replicate"),
    ):
        if wrong:
            found.append(f"role {role} {what}")
    if encoding != "UTF8":
        found.append("the database's encoding is not UTF8")
    if superuser:
        return found  # it can do all that is asked below
    found += _clause(f"role {role} is a member of", session.execute(_MEMBER))
    found += _clause(f"role {role} can write to", session.execute(_WRITABLE))
    found += _clause(f"role {role} can create in", session.execute(_CREATING))
    found += _clause(f"role {role} can run as their owners", session.execute(_DEFINER))
    others = [
        (f"{place}.{table}",)
        for place, table, comment in session.execute(_READABLE)
        if place != schema or not table.startswith("data_") or comment not in contracts
    ]
    return found + _clause(f"role {role} sees more than its contracts' tables:", others)


def _clause(words: str, names: Sequence[Sequence[object]]) -> list[str]:
    if not names:
        return []
    shown = [str(name) for (name, *_) in names[:MOST_NAMED]]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [f"{words} {', '.join(shown)}{more}"]
