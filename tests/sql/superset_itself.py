"""Apache Superset reads a federation's directory, makes a dataset of it and a chart.

Run by hand (docs/sql.md says how): Superset is 850 MB and has a SQLAlchemy of its own, so that it
lives in an environment of its own. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import uuid4

from superset.app import create_app  # type: ignore[import-not-found, unused-ignore]

url, question = sys.argv[1:]
with create_app().app_context():
    from superset import db  # type: ignore[import-not-found, unused-ignore]
    from superset.connectors.sqla.models import (  # type: ignore[import-not-found, unused-ignore]
        SqlaTable,
    )
    from superset.models.core import Database  # type: ignore[import-not-found, unused-ignore]

    database: Any = Database(database_name=f"town {uuid4()}", sqlalchemy_uri=url)
    (schema,) = database.get_all_schema_names()
    ((table, _, _),) = database.get_all_table_names_in_schema(catalog=None, schema=schema)
    db.session.add(database)
    db.session.flush()
    dataset: Any = SqlaTable(
        table_name=table, schema=schema, database=database, database_id=database.id
    )
    db.session.add(dataset)
    db.session.flush()
    dataset.fetch_metadata()
    wanted: dict[str, Any] = {
        "granularity": None, "from_dttm": None, "to_dttm": None, "groupby": ["topic"],
        "columns": ["topic"], "metrics": ["count"], "is_timeseries": False, "extras": {},
        "filter": [{"col": "month", "op": "<=", "val": 6}], "row_limit": 100,
        "orderby": [("count", False)],
    }  # fmt: skip
    chart = dataset.query(wanted)
    found = {
        "schema": schema,
        "table": table,
        "columns": {each.column_name: str(each.type) for each in dataset.columns},
        "rows": database.get_df(question, schema=schema).values.tolist(),
        "status": str(chart.status),
        "chart": chart.df.values.tolist(),
    }
    for made in (dataset, database):  # fetch_metadata has committed both
        db.session.delete(made)
    db.session.commit()
json.dump(found, sys.stdout)
