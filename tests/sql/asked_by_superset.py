"""What Apache Superset 6.1 asks of a database, as its source does it; run under SQLAlchemy 1.4.

Prints one JSON object. `superset_itself.py` beside this file lets Superset ask.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import Any

import sqlalchemy as sa

url, question = sys.argv[1:]
engine = sa.create_engine(url)
with closing(engine.raw_connection()) as connection:
    alive = engine.dialect.do_ping(connection)  # "Test connection"
inspector = sa.inspect(engine)
(schema,) = inspector.get_schema_names()
(table,) = inspector.get_table_names(schema)
found = {
    "version": sa.__version__,
    "alive": alive,
    "schema": schema,
    "table": table,
    "default_schema": inspector.default_schema_name,
    "views": inspector.get_view_names(schema),
    "has_table": inspector.has_table(table, schema),
    "columns": {each["name"]: str(each["type"]) for each in inspector.get_columns(table, schema)},
    "comments": [each["comment"] for each in inspector.get_columns(table, schema)],
    "comment": inspector.get_table_comment(table, schema)["text"],
    "key": inspector.get_pk_constraint(table, schema)["constrained_columns"],
    "foreign_keys": inspector.get_foreign_keys(table, schema),
    "indexes": inspector.get_indexes(table, schema),
}
# A bar chart, as Superset's data model writes it.
topic: Any = sa.column("topic")
month: Any = sa.column("month")
count: Any = sa.literal_column("COUNT(*)").label("count")
chart = (
    sa.select(topic.label("topic"), count)
    .select_from(sa.table(table, schema=schema))
    .where(month <= 6)
    .group_by(topic)
    .order_by(sa.desc(count))
    .limit(100)
)
with engine.connect() as connection:
    found["rows"] = [list(row) for row in connection.execute(sa.text(question))]
    found["chart"] = [list(row) for row in connection.execute(chart)]
json.dump(found, sys.stdout)
