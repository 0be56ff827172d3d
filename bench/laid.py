"""A federation's folder over made-up tables, one department for each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PURPOSE: Final = "dpv:ResearchAndDevelopment"
CALLER: Final = "bench"

_ACCESS: Final = '@id("bench.all")\npermit (principal, action == Action::"query", resource);\n'


@dataclass(frozen=True, slots=True)
class Table:
    """A Parquet file that the department `office` serves under its contract `name`.

    Rows are of the units of the column `unit`, one each; `columns` are the others, as a contract
    has them; `terms` are custom properties beside those that every such contract has.
    """

    office: str
    name: str
    source: Path
    unit: Mapping[str, Any]
    columns: Sequence[Mapping[str, Any]] = ()
    terms: Mapping[str, Any] | None = None

    def contract(self) -> dict[str, Any]:
        """Its contract: differentially private, under a budget that no benchmark uses up."""
        terms = {
            "landbridgeProtectedUnit": self.unit["name"],
            "landbridgeMethod": "dp",
            "landbridgeRowsPerUnit": 1,
            "landbridgeBudget": {
                "recipient": {"epsilon": 1000, "delta": 1e-6},
                "overall": {"epsilon": 1000, "delta": 1e-6},
                "period": "year",
            },
            "landbridgeEpsilon": {"default": 4, "maximum": 4},
            "landbridgePurposes": [PURPOSE],
            **(self.terms or {}),
        }
        key = {"required": True, "unique": True, "classification": "sealed", **self.unit}
        return {
            "version": "1.0.0", "kind": "DataContract", "apiVersion": "v3.2.0", "id": self.name,
            "name": self.name,
            "customProperties": [{"property": p, "value": value} for p, value in terms.items()],
            "schema": [{"name": self.name, "properties": [key, *self.columns]}],
        }  # fmt: skip


def lay(home: Path, tables: Sequence[Table]) -> Path:
    """Writes the folder, in which `CALLER` may ask everything; gives it back."""
    for table in tables:
        office = home / table.office
        (office / "contracts").mkdir(parents=True)
        (office / "data").mkdir()
        (office / "data" / f"{table.name}.parquet").hardlink_to(table.source)
        contract = json.dumps(table.contract())
        (office / "contracts" / f"{table.name}.odcs.yaml").write_text(contract)
        (office / "access.cedar").write_text(_ACCESS)
    (home / "gateway").mkdir()
    (home / "gateway" / "access.cedar").write_text(_ACCESS)
    (home / "gateway" / "callers.toml").write_text(
        f'[callers.{CALLER}]\norganisation = "bench"\nclearance = "internal"\n'
        f'purposes = ["{PURPOSE}"]\n'
    )
    members = "".join(
        f'[[members]]\ndepartment = "{table.office}"\ntitle = "{table.office}"\nport = 0\n'
        for table in tables
    )
    (home / "federation.toml").write_text(
        'name = "bench"\n[issuer]\nissuer = "https://issuer.bench.example"\n'
        f'audience = "https://gateway.bench.example"\n[gateway]\nport = 0\n{members}'
    )
    return home
