"""What other people's formats ask of an event, written down from their specifications.

OCSF 1.8.0: the attributes of the two classes and of the objects that we use, their types, what is
required, and "at least one of". CloudEvents 1.0.2: the attributes of the JSON event format, and the
naming of extension attributes.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}


def _object(
    properties: dict[str, Any], required: tuple[str, ...] = (), any_of: tuple[str, ...] = ()
) -> Schema:
    made: Schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    if any_of:
        made["anyOf"] = [{"required": [name]} for name in any_of]
    return made


_ENTITY: Final = {"name": TEXT, "uid": TEXT}
_PRODUCT: Final = _object({**_ENTITY, "vendor_name": TEXT, "version": TEXT}, any_of=("name", "uid"))
_USER: Final = _object(
    {**_ENTITY, "org": _object(_ENTITY, any_of=("name", "uid"))},
    any_of=("account", "name", "uid"),
)
_METADATA: Final = _object(
    {
        "version": {"const": "1.8.0"},
        "product": _PRODUCT,
        "uid": TEXT,
        "log_name": TEXT,
        "event_code": TEXT,
        "log_version": TEXT,
        "sequence": COUNT,
        "original_time": TEXT,
        "correlation_uid": TEXT,
        "profiles": {"type": "array", "items": {"const": "trace"}},
    },
    required=("product", "version"),
)
_BASE: Final = {
    "activity_id": COUNT,
    "activity_name": TEXT,
    "category_uid": {"const": 6},
    "class_uid": COUNT,
    "type_uid": COUNT,
    "severity_id": {"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
    "status": {"enum": ["Unknown", "Success", "Failure"]},
    "status_id": {"enum": [0, 1, 2, 99]},
    "status_code": TEXT,
    "status_detail": TEXT,
    "time": COUNT,
    "metadata": _METADATA,
    "unmapped": {"type": "object"},
}
_REQUIRED: Final = (
    "activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid",
)  # fmt: skip

API_ACTIVITY: Final = _object(
    {
        **_BASE,
        "class_uid": {"const": 6003},
        "activity_id": {"enum": [0, 1, 2, 3, 4, 99]},
        "actor": _object(
            {"user": _USER, "app_name": TEXT, "app_uid": TEXT},
            any_of=(
                "process", "user", "iam_role", "invoked_by", "session", "app_name", "app_uid",
            ),
        ),
        "api": _object(
            {
                "operation": TEXT,
                "request": _object({"uid": TEXT}, required=("uid",)),
                "service": _object(_ENTITY, any_of=("name", "uid")),
            },
            required=("operation",),
        ),
        "src_endpoint": _object({"svc_name": TEXT}, any_of=("ip", "uid", "name", "svc_name")),
        "resources": {"type": "array", "items": _object(_ENTITY, any_of=("name", "uid"))},
        "trace": _object({"uid": TEXT}, required=("uid",)),
    },
    required=(*_REQUIRED, "actor", "api", "src_endpoint"),
)  # fmt: skip
APPLICATION_LIFECYCLE: Final = _object(
    {
        **_BASE,
        "class_uid": {"const": 6002},
        "activity_id": {"enum": [0, 1, 2, 3, 4, 5, 6, 7, 8, 99]},
        "app": _PRODUCT,
    },
    required=(*_REQUIRED, "app"),
)

CLOUDEVENT: Final[Schema] = {
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": TEXT,
        "source": {**TEXT, "pattern": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$"},
        "specversion": {"const": "1.0"},
        "type": TEXT,
        "datacontenttype": {"const": "application/json"},
        "dataschema": {**TEXT, "pattern": "^[a-z]+:"},
        "subject": TEXT,
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "data": {},
    },
    # Extension attributes: lower-case letters and digits; text, number or boolean.
    "patternProperties": {"^[a-z0-9]+$": {}},
    "additionalProperties": False,
}
