"""The directory as Flight SQL shows databases: departments are schemas, contracts are tables.

There are no catalogs. A contract that several departments serve stands once more in the schema with
the empty name, which is how Flight SQL says "without one": so it is asked of all of them. The
shapes are those that FlightSql.proto gives.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, assert_never

import pyarrow as pa

from gateway.flight.arrow import schema_bytes
from gateway.flight.commands import (
    Catalogs,
    Keys,
    Metadata,
    Schemas,
    ServerInfo,
    Tables,
    TableTypes,
    TypeInfo,
)
from landbridge.directory import Directory, OfferedContract
from policies.contract import Type

TABLE: Final = "TABLE"

_TYPES: Final = {
    Type.INTEGER: pa.int64(),
    Type.NUMBER: pa.float64(),
    Type.TEXT: pa.string(),
    Type.BOOLEAN: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}

_CATALOGS: Final = pa.schema([pa.field("catalog_name", pa.string(), nullable=False)])
_SCHEMAS: Final = pa.schema(
    [
        pa.field("catalog_name", pa.string()),
        pa.field("db_schema_name", pa.string(), nullable=False),
    ]
)
_TABLES: Final = pa.schema(
    [
        pa.field("catalog_name", pa.string()),
        pa.field("db_schema_name", pa.string()),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("table_type", pa.string(), nullable=False),
    ]
)
_WITH_SCHEMA: Final = _TABLES.append(pa.field("table_schema", pa.binary(), nullable=False))
_TABLE_TYPES: Final = pa.schema([pa.field("table_type", pa.string(), nullable=False)])
_INFO_VALUE: Final = pa.dense_union(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", pa.list_(pa.field("string_data", pa.string()))),
        pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
    ]
)
_INFO: Final = pa.schema(
    [pa.field("info_name", pa.uint32(), nullable=False), pa.field("value", _INFO_VALUE)]
)
_PRIMARY: Final = pa.schema(
    [
        pa.field("catalog_name", pa.string()),
        pa.field("db_schema_name", pa.string()),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("key_name", pa.string()),
        pa.field("key_sequence", pa.int32(), nullable=False),
    ]
)
_FOREIGN: Final = pa.schema(
    [
        pa.field(f"{side}_{name}", pa.string(), nullable=nullable)
        for side in ("pk", "fk")
        for name, nullable in (
            ("catalog_name", True),
            ("db_schema_name", True),
            ("table_name", False),
            ("column_name", False),
        )
    ]
    + [
        pa.field("key_sequence", pa.int32(), nullable=False),
        pa.field("fk_key_name", pa.string()),
        pa.field("pk_key_name", pa.string()),
        pa.field("update_rule", pa.uint8(), nullable=False),
        pa.field("delete_rule", pa.uint8(), nullable=False),
    ]
)
_TYPE_INFO: Final = pa.schema(
    [
        pa.field("type_name", pa.string(), nullable=False),
        pa.field("data_type", pa.int32(), nullable=False),
        pa.field("column_size", pa.int32()),
        pa.field("literal_prefix", pa.string()),
        pa.field("literal_suffix", pa.string()),
        pa.field("create_params", pa.list_(pa.string())),
        pa.field("nullable", pa.int32(), nullable=False),
        pa.field("case_sensitive", pa.bool_(), nullable=False),
        pa.field("searchable", pa.int32(), nullable=False),
        pa.field("unsigned_attribute", pa.bool_()),
        pa.field("fixed_prec_scale", pa.bool_(), nullable=False),
        pa.field("auto_increment", pa.bool_()),
        pa.field("local_type_name", pa.string()),
        pa.field("minimum_scale", pa.int32()),
        pa.field("maximum_scale", pa.int32()),
        pa.field("sql_data_type", pa.int32(), nullable=False),
        pa.field("datetime_subcode", pa.int32()),
        pa.field("num_prec_radix", pa.int32()),
        pa.field("interval_precision", pa.int32()),
    ]
)


def shape(command: Metadata) -> Any:
    """The schema of what a metadata command lists."""
    match command:
        case Catalogs():
            return _CATALOGS
        case Schemas():
            return _SCHEMAS
        case Tables(include_schema=include_schema):
            return _WITH_SCHEMA if include_schema else _TABLES
        case TableTypes():
            return _TABLE_TYPES
        case ServerInfo():
            return _INFO
        case Keys(primary):
            return _PRIMARY if primary else _FOREIGN
        case TypeInfo():
            return _TYPE_INFO
        case _:
            assert_never(command)


def listing(command: Metadata, directory: Directory) -> Any:
    """What a metadata command lists, of this caller's directory."""
    match command:
        case Schemas(catalog, pattern):
            names = sorted({schema for schema, _ in _listed(directory)})
            rows = [(None, name) for name in names if not catalog and _like(pattern, name)]
            return _table(_SCHEMAS, rows)
        case Tables():
            return _tables(command, directory)
        case TableTypes():
            return _table(_TABLE_TYPES, [(TABLE,)])
        case ServerInfo(info):
            return _server_info(info)
        case Catalogs() | Keys() | TypeInfo():
            return shape(command).empty_table()
        case _:
            assert_never(command)


def _listed(directory: Directory) -> list[tuple[str, OfferedContract]]:
    """Every table with its schema, in order."""
    alone = [
        (member.department, contract)
        for member in directory.members
        for contract in member.contracts
        if contract.queryable  # what only an officer answers for is no table to ask
    ]
    served = Counter(contract.id for _, contract in alone)
    together = {contract.id: contract for _, contract in alone if served[contract.id] > 1}
    whole = [("", contract) for contract in together.values()] + alone
    return sorted(whole, key=lambda each: (each[0], each[1].id))


def _tables(command: Tables, directory: Directory) -> Any:
    rows = [
        (None, schema, contract.id, TABLE)
        + ((schema_bytes(_columns(contract)),) if command.include_schema else ())
        for schema, contract in _listed(directory)
        if not command.catalog
        and _like(command.schema_pattern, schema)
        and _like(command.table_pattern, contract.id)
        and (not command.types or TABLE in command.types)
    ]
    return _table(shape(command), rows)


def _columns(contract: OfferedContract) -> Any:
    return pa.schema(
        [
            pa.field(
                column.name,
                _TYPES[Type(column.type)],
                metadata={
                    "ARROW:FLIGHT:SQL:TYPE_NAME": column.type,
                    "ARROW:FLIGHT:SQL:REMARKS": column.description,
                    "ARROW:FLIGHT:SQL:IS_READ_ONLY": "1",
                },
            )
            for column in contract.columns
        ]
    )


def _like(pattern: str | None, name: str) -> bool:
    """Whether the name is like the pattern, where % is any text and _ any character."""
    if pattern is None:
        return True
    parts = {"%": ".*", "_": "."}
    written = "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(written, name, re.DOTALL) is not None


def _table(schema: Any, rows: Iterable[tuple[object, ...]]) -> Any:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _server_info(wanted: tuple[int, ...]) -> Any:
    """By the numbers of FlightSql.proto's SqlInfo."""
    try:
        own = version("landbridge")
    except PackageNotFoundError:
        own = "unknown"
    known: dict[int, str | bool | int] = {
        0: "Landbridge",
        1: own,
        2: pa.__version__,
        3: True,  # read only
        4: True,  # SQL
        5: False,  # Substrait
        8: 0,  # no transactions
        9: False,  # no cancelling
        500: False,  # no DDL for catalogs, schemas, tables
        501: False,
        502: False,
        504: '"',
        506: False,  # not every table can be selected from by everybody
        515: True,  # aliases
        529: "department",
        530: "handler",
        531: "",  # no catalogs
    }
    names = [name for name in known if not wanted or name in wanted]
    children: list[list[Any]] = [[] for _ in range(6)]
    types, offsets = [], []
    for name in names:
        value = known[name]
        child = 1 if isinstance(value, bool) else 0 if isinstance(value, str) else 3
        types.append(child)
        offsets.append(len(children[child]))
        children[child].append(value)
    values = pa.UnionArray.from_dense(
        pa.array(types, pa.int8()),
        pa.array(offsets, pa.int32()),
        [pa.array(child, _INFO_VALUE.field(number).type) for number, child in enumerate(children)],
        [_INFO_VALUE.field(number).name for number in range(6)],
    )
    return pa.Table.from_arrays([pa.array(names, pa.uint32()), values], schema=_INFO)
