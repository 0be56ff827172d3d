"""Computed answers across departments' private data, never rows.

    import landbridge

    with landbridge.connect("gateway.example:443", token=token) as client:
        answer = client.query("SELECT ...", purpose="dpv:ResearchAndDevelopment")

Importing this package imports nothing else: servers that need the contract alone do not load the
client, and a command that only prints its help does not load gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landbridge.access_list import Access, AccessList
    from landbridge.answers import Answer, Plan, Reply
    from landbridge.attending import Attendant, Concern, attend
    from landbridge.client import AsyncClient, Client, aconnect, connect
    from landbridge.consultation.callers import AsyncConsultation, Consultation
    from landbridge.consultation.officers import Reviewer, review
    from landbridge.directory import Directory
    from landbridge.errors import (
        DeadlineExceeded,
        Fault,
        InvalidQuestion,
        LandbridgeError,
        Refused,
        Unauthenticated,
        Unavailable,
    )
    from landbridge.group.handle import AsyncGroup, Group
    from landbridge.group.office import Publisher, publish
    from landbridge.receipt import Receipt
    from landbridge.submission.receipt import Contribution, SubmissionReceipt
    from landbridge.watch_handle import AsyncWatch, Watch

_HOMES = {
    "aconnect": "client",
    "connect": "client",
    "AsyncClient": "client",
    "Client": "client",
    "Consultation": "consultation.callers",
    "AsyncConsultation": "consultation.callers",
    "Reviewer": "consultation.officers",
    "review": "consultation.officers",
    "Watch": "watch_handle",
    "AsyncWatch": "watch_handle",
    "Group": "group.handle",
    "AsyncGroup": "group.handle",
    "Publisher": "group.office",
    "publish": "group.office",
    "Access": "access_list",
    "AccessList": "access_list",
    "Attendant": "attending",
    "Concern": "attending",
    "attend": "attending",
    "Answer": "answers",
    "Plan": "answers",
    "Reply": "answers",
    "Directory": "directory",
    "Receipt": "receipt",
    "Contribution": "submission.receipt",
    "SubmissionReceipt": "submission.receipt",
    "DeadlineExceeded": "errors",
    "Fault": "errors",
    "InvalidQuestion": "errors",
    "LandbridgeError": "errors",
    "Refused": "errors",
    "Unauthenticated": "errors",
    "Unavailable": "errors",
}

__all__ = [
    "Access",
    "AccessList",
    "Answer",
    "AsyncClient",
    "AsyncConsultation",
    "AsyncGroup",
    "AsyncWatch",
    "Attendant",
    "Client",
    "Concern",
    "Consultation",
    "Contribution",
    "DeadlineExceeded",
    "Directory",
    "Fault",
    "Group",
    "InvalidQuestion",
    "LandbridgeError",
    "Plan",
    "Publisher",
    "Receipt",
    "Refused",
    "Reply",
    "Reviewer",
    "SubmissionReceipt",
    "Unauthenticated",
    "Unavailable",
    "Watch",
    "aconnect",
    "attend",
    "connect",
    "publish",
    "review",
]


def __getattr__(name: str) -> object:
    """Loads a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'landbridge' has no attribute {name!r}")
    return getattr(import_module(f"landbridge.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
