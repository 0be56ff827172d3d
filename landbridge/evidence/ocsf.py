"""Entries as events of the Open Cybersecurity Schema Framework, for a security team's store.

Source: OCSF 1.8.0 (https://schema.ocsf.io/1.8.0): API Activity (6003) for what is asked,
Application Lifecycle (6002) for start and stop. What has no place there stands in `unmapped`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from landbridge.evidence.entry import VERSION
from landbridge.evidence.selection import Found

OCSF: Final = "1.8.0"
_CATEGORY: Final = 6
_ACTIVITY: Final = 6003
_LIFECYCLE: Final = 6002
_CREATE, _READ, _UPDATE, _OTHER = 1, 2, 3, 99
_KINDS: Final = {
    "query": _READ,
    "explain": _READ,
    "call": _READ,
    "about": _READ,
    "group": _READ,
    "console": _READ,
    "submit": _CREATE,
    "consult": _CREATE,
    "step": _UPDATE,
    "policy_change": _UPDATE,
    "membership_change": _UPDATE,
}
_LIFE: Final = {"start": 3, "stop": 4}
_STATUS: Final = {"answered": (1, "Success"), "refused": (2, "Failure"), "failed": (2, "Failure")}
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00Z")
_PLACED: Final = frozenset({
    "v", "kind", "time", "question_id", "outcome", "reason", "rule",
})  # fmt: skip
_ACTIVITY_PLACES: Final = frozenset({"caller", "organisation", "client", "resource", "trace_id"})
_LIFECYCLE_PLACES: Final = frozenset({"program"})


def event(found: Found) -> dict[str, Any]:
    """The event of an entry; raises ValueError for an entry that has no readable time."""
    fields = found.fields
    kind = str(fields.get("kind", ""))
    lifecycle = kind in _LIFE
    class_uid = _LIFECYCLE if lifecycle else _ACTIVITY
    activity = _LIFE[kind] if lifecycle else _KINDS.get(kind, _OTHER)
    status, status_name = _STATUS.get(str(fields.get("outcome", "")), (0, "Unknown"))
    made: dict[str, Any] = {
        "activity_id": activity,
        "category_uid": _CATEGORY,
        "class_uid": class_uid,
        "type_uid": class_uid * 100 + activity,
        "severity_id": 1,
        "status_id": status,
        "status": status_name,
        "time": _milliseconds(str(fields.get("time", ""))),
        "metadata": _metadata(found),
    }
    if activity == _OTHER:
        made["activity_name"] = kind
    for name, source in (("status_code", "reason"), ("status_detail", "rule")):
        if fields.get(source):
            made[name] = fields[source]
    if lifecycle:
        made["app"] = {"name": found.log, **_given(version=fields.get("program"))}
    else:
        made |= _asked(found, kind)
    placed = _PLACED | (_LIFECYCLE_PLACES if lifecycle else _ACTIVITY_PLACES)
    if not fields.get("caller"):
        placed -= {"organisation"}  # it stands beside the user
    unmapped = {name: value for name, value in fields.items() if name not in placed}
    if unmapped:
        made["unmapped"] = unmapped
    return made


def _asked(found: Found, kind: str) -> dict[str, Any]:
    """What only an API Activity has."""
    fields = found.fields
    client = str(fields.get("client", ""))
    user = _given(uid=fields.get("caller"))
    if user and fields.get("organisation"):
        user["org"] = {"name": fields["organisation"]}
    api: dict[str, Any] = {"operation": kind, "service": {"name": found.log}}
    if fields.get("question_id"):
        api["request"] = {"uid": fields["question_id"]}
    made: dict[str, Any] = {
        "actor": {**_given(app_uid=client), **({"user": user} if user else {})}
        or {"app_name": found.log if kind.endswith("_change") else "unknown"},
        "api": api,
        # Where a caller's connection came from is not logged; which software it was is.
        "src_endpoint": {"svc_name": client or "unknown"},
    }
    if fields.get("resource"):
        made["resources"] = [{"name": fields["resource"]}]
    if fields.get("trace_id"):
        made["trace"] = {"uid": fields["trace_id"]}
    return made


def _metadata(found: Found) -> dict[str, Any]:
    fields = found.fields
    traced = fields.get("trace_id") and fields.get("kind") not in _LIFE
    return {
        "version": OCSF,
        "product": {"name": "Landbridge", "vendor_name": "Landbridge"},
        "uid": f"{found.log}/{found.index}",
        "log_name": found.log,
        "event_code": str(fields.get("kind", "")),
        "log_version": str(VERSION),
        "sequence": found.index,
        "original_time": str(fields.get("time", "")),
        **_given(correlation_uid=fields.get("question_id")),
        **({"profiles": ["trace"]} if traced else {}),
    }


def _given(**values: Any) -> dict[str, Any]:
    """Those that are there."""
    return {name: value for name, value in values.items() if value}


def _milliseconds(time: str) -> int:
    """Since 1970, rounded down."""
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(milliseconds=1)
