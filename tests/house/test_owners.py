"""Every third-party engine is imported by its one owner, so that it can be replaced there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWNERS = {
    "sqlglot": ("gateway/sql/",),
    "_duckdb": ("nodes/engines/database.py",),
    "duckdb": (),
    "pyspark": ("nodes/engines/spark/session.py",),
    "psycopg": ("nodes/engines/postgresql/connection.py",),
    "Cryptodome": ("landbridge/protocols/prio3/xof.py",),
    "cedarpy": ("policies/access.py", "policies/access_check.py"),
    # Who asks and who hands in have different machines.
    "opendp": ("policies/noise.py", "landbridge/submission/randomising.py"),
    "open_data_contract_standard": ("policies/odcs.py",),
    "jwt": ("landbridge/identity/signature.py",),
    "pyarrow": (
        "landbridge/arrow.py",
        "landbridge/parquet.py",
        "landbridge/submission/parquet.py",
        "gateway/flight/arrow.py",
        "gateway/flight/tables.py",
    ),
    "pandas": ("landbridge/arrow.py",),
    "matplotlib": ("landbridge/plot.py", "bench/picture.py"),
    "sqlalchemy": ("landbridge/dialect.py", "gateway/cases/", "gateway/watches/"),
    "opentelemetry": (
        "landbridge/edge/telemetry.py",
        "landbridge/edge/exporters.py",
        "landbridge/tracing.py",  # the API alone, in the SDK
    ),
    "prometheus_client": ("landbridge/edge/exporters.py",),
    "grpc_health": ("landbridge/edge/health.py",),
    "grpc_reflection": ("landbridge/edge/reflection.py",),
    "sqlite3": (
        "nodes/ledger.py",
        "nodes/history.py",
        "nodes/queue.py",
        "nodes/sqlite_file.py",
        "nodes/engines/known.py",
        "gateway/console/index.py",
        "landbridge/queue_file.py",
    ),
    "alembic": ("gateway/cases/",),
    "rfc8785": ("landbridge/evidence/entry.py",),
    "starlette": ("landbridge/edge/witness_http.py", "landbridge/web/door.py"),
    "uvicorn": ("landbridge/edge/witness_http.py", "landbridge/web/door.py"),
    "jinja2": ("landbridge/web/pages.py",),
    "babel": ("landbridge/web/words.py",),
    "typer": ("landbridge/cli/",),
}


@cache
def imported(path: Path) -> set[str]:
    """Top-level names that a file imports when it runs (not for types alone)."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("engine", OWNERS)
def test_an_engine_has_one_owner(engine: str) -> None:
    """Whoever else needs it asks the owner."""
    users = {
        str(path.relative_to(ROOT))
        for room in ("landbridge", "gateway", "nodes", "policies")
        for path in (ROOT / room).rglob("*.py")
        if "/v1/" not in str(path) and engine in imported(path)
    }
    strangers = {user for user in users if not user.startswith(OWNERS[engine] or ("\0",))}
    assert strangers == set()
    assert bool(users) == bool(OWNERS[engine])
