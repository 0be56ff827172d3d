"""The directory for other catalogues: DCAT-AP in JSON-LD, of what this caller may use.

Sources: W3C Data Catalog Vocabulary (DCAT) 3; DCAT-AP 3.0, whose mandatory properties are here:
a catalogue's title, description and publisher, a dataset's title and description, a service's title
and endpoint. There are no distributions, because no data is distributed: a dataset is asked.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from landbridge.directory import Directory, Member, OfferedContract, OfferedHandler

CONTEXT: Final[dict[str, Any]] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_RESTRICTED: Final = "http://publications.europa.eu/resource/authority/access-right/RESTRICTED"
_SCHEMES: Final = ("mailto:", "https:", "http:", "tel:")


def catalogue(directory: Directory, endpoint: str) -> dict[str, Any]:
    """The JSON-LD document; `endpoint` is where the gateway is asked, "host:port" or a URL."""
    url = endpoint if "://" in endpoint else f"https://{endpoint}"
    name = directory.federation or "federation"
    root = f"landbridge://{quote(name)}"
    datasets = [
        _dataset(f"{root}/{member.department}", member, contract)
        for member in directory.members
        for contract in member.contracts
    ]
    handlers = [
        _handler(f"{root}/{member.department}", member, handler, url)
        for member in directory.members
        for handler in member.handlers
    ]
    questions = {
        "@id": f"{root}/gateway",
        "@type": "dcat:DataService",
        "dct:title": f"Questions to {name}",
        "dct:description": "Computed answers across departments' data, never rows.",
        "dcat:endpointURL": {"@id": url},
        "dcat:servesDataset": [{"@id": each["@id"]} for each in datasets],
    }
    procedures = [
        {
            "@id": f"{root}/gateway/procedure/{quote(each.name)}",
            "@type": "dcat:DataService",
            "dct:identifier": each.name,
            "dct:title": each.title or each.name,
            "dct:description": each.description or each.title or each.name,
            "dcat:endpointURL": {"@id": url},
        }
        for each in directory.procedures
    ]
    return {
        "@context": CONTEXT,
        "@id": root,
        "@type": "dcat:Catalog",
        "dct:title": f"Directory of {name}",
        "dct:description": "What one caller may ask the members of this federation.",
        "dct:publisher": _agent(f"{root}/gateway/operator", name),
        "dcat:dataset": datasets,
        "dcat:service": [questions, *handlers, *procedures],
    }


def _dataset(place: str, member: Member, contract: OfferedContract) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": f"{place}/{quote(contract.id)}",
        "@type": "dcat:Dataset",
        "dct:identifier": f"{member.department}.{contract.id}",
        "dct:title": contract.title or contract.id,
        "dct:description": contract.description or contract.title or contract.id,
        "dct:publisher": _agent(place, member.title),
        "dct:accessRights": {"@id": _RESTRICTED},
        "dcat:keyword": [column.name for column in contract.columns],
    }
    if contract.version:
        found["dcat:version"] = contract.version
    points = [_contact(contract, *each) for each in _ways(contract)]
    if points:
        found["dcat:contactPoint"] = points
    return found


def _handler(place: str, member: Member, handler: OfferedHandler, url: str) -> dict[str, Any]:
    return {
        "@id": f"{place}/handler/{quote(handler.name.partition('.')[2])}",
        "@type": "dcat:DataService",
        "dct:identifier": handler.name,
        "dct:title": handler.name,
        "dct:description": handler.description or handler.name,
        "dct:publisher": _agent(place, member.title),
        "dct:accessRights": {"@id": _RESTRICTED},
        "dcat:endpointURL": {"@id": url},
    }


def _ways(contract: OfferedContract) -> list[tuple[str, str, str]]:
    """Name, address and role of every way to reach somebody; without channels, the roles alone."""
    channels = [(each.name or contract.team, each.url, "") for each in contract.channels]
    return channels or [(contract.team or each.who, "", each.role) for each in contract.roles]


def _contact(contract: OfferedContract, name: str, url: str, role: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@type": "vcard:Kind",
        "vcard:fn": name or contract.team or contract.id,
    }
    if role:
        found["vcard:role"] = role
    # An address of another scheme could be anything; a reader of catalogues follows links.
    if url.startswith("mailto:"):
        found["vcard:hasEmail"] = {"@id": url}
    elif url.startswith(_SCHEMES):
        found["vcard:hasURL"] = {"@id": url}
    return found


def _agent(place: str, name: str) -> dict[str, Any]:
    return {"@id": place, "@type": "foaf:Agent", "foaf:name": name}
