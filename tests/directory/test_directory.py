"""What a caller finds in the directory, and what other catalogues make of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import rdflib
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, Namespace

from gateway.servicer import GatewayServicer
from landbridge.cli.terminal import plain
from landbridge.dcat import catalogue
from landbridge.directory import Directory
from landbridge.edge.telemetry import Telemetry
from landbridge.v1 import gateway_pb2
from landbridge.wire import read_directory
from policies import odcs
from tests.consultation.asking import OPEN_ACCESS
from tests.consultation.test_grants import HANDLER
from tests.people import crowd, document
from tests.simulator import FederationSimulator, as_a_client

Simulate = Callable[..., FederationSimulator]
# rdflib's own reader of JSON-LD still makes one.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
STRANGER = {"organisation": "stranger"}


def responsible(**sections: Any) -> bytes:
    """The contract with a team and channels."""
    whole = json.loads(document())
    whole["team"] = {
        "name": "Registry office",
        "members": [
            {"username": "data-officer", "role": "data officer", "description": "Decides."},
            {"username": "somebody"},
            {"username": "left", "role": "data officer", "dateOut": "2020-01-01"},
        ],
    }
    whole["support"] = [
        {"channel": "desk", "url": "mailto:desk@north.example"},
        {"channel": "odd", "url": "javascript:alert(1)"},
    ]
    return json.dumps({**whole, **sections}).encode()


def directory(federation: FederationSimulator, **changes: Any) -> Directory:
    """The directory as a caller gets it."""
    with as_a_client():
        context = federation.context(federation.token(**changes))
        request = gateway_pb2.DirectoryRequest()
        return read_directory(federation.gateway.Directory(request, context))


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """One department that lets things be considered, with who answers for them."""
    return simulate(
        {"north": crowd(5)}, documents=responsible(), access=OPEN_ACCESS,
        gateway_access=OPEN_ACCESS, handlers=[HANDLER],
    )  # fmt: skip


def test_roles_and_channels_come_from_the_contract(federation: FederationSimulator) -> None:
    """Roles that somebody has now; a member without a role is nobody's business."""
    (contract,) = directory(federation).members[0].contracts
    assert [(each.role, each.who) for each in contract.roles] == [("data officer", "data-officer")]
    assert contract.team == "Registry office"
    assert contract.channels[0].url == "mailto:desk@north.example"
    assert (contract.title, contract.version) == ("People", "1.0.0")


def test_the_older_form_of_a_team_is_read_too() -> None:
    """A list of members, as the standard had it before 3.1."""
    old = responsible(team=[{"username": "desk", "role": "owner"}])
    found = odcs.read(old, "here").responsible
    assert [(each.role, each.who) for each in found.roles] == [("owner", "desk")]


def test_what_a_caller_may_not_use_does_not_appear(federation: FederationSimulator) -> None:
    """Neither table nor handler nor who answers for them; that there is a member is public."""
    (member,) = directory(federation, **STRANGER).members
    assert (member.department, member.contracts, member.handlers) == ("north", (), ())


def test_what_an_officer_may_let_through_is_shown_as_that(federation: FederationSimulator) -> None:
    """A restricted column and a restricted handler: to whoever may have them considered."""
    (member,) = directory(federation).members
    (contract,), (handler,) = member.contracts, member.handlers
    assert (contract.queryable, contract.consultable) == (True, True)
    assert "name" in [column.name for column in contract.columns]
    assert (handler.queryable, handler.consultable) == (False, True)


def test_without_officers_it_is_as_it_was(simulate: Simulate) -> None:
    """Default no: no column above the clearance, and nothing to consider."""
    federation = simulate({"north": crowd(5)}, handlers=[HANDLER])
    (member,) = directory(federation).members
    assert "name" not in [column.name for column in member.contracts[0].columns]
    assert (member.contracts[0].consultable, member.handlers) == (False, ())


def test_procedures_are_asked_for_by_caller(federation: FederationSimulator) -> None:
    """Whoever keeps procedures says which of them a caller may open."""

    def procedures(caller: Any) -> Iterator[gateway_pb2.DirectoryProcedure]:
        if caller.organisation == "university":
            yield gateway_pb2.DirectoryProcedure(
                name="licence", title="A licence", departments=["north"]
            )

    federation.gateway = GatewayServicer(
        federation.asking, federation.departments, Telemetry("test"), "town", procedures
    )
    found = directory(federation)
    assert (found.federation, found.procedures[0].name) == ("town", "licence")
    assert directory(federation, **STRANGER).procedures == ()


@contextmanager
def graph(found: Directory) -> Iterator[rdflib.Graph]:
    """The export as a reader of RDF reads it, without a network."""
    parsed = rdflib.Graph()
    parsed.parse(data=json.dumps(catalogue(found, "gateway.example:443")), format="json-ld")
    yield parsed
    parsed.close()


def test_the_export_has_what_dcat_ap_demands(federation: FederationSimulator) -> None:
    """Mandatory properties of DCAT-AP 3.0, each once where it may stand once only."""
    with graph(directory(federation)) as found:
        (whole,) = found.subjects(RDF.type, DCAT.Catalog)
        (dataset,) = found.objects(whole, DCAT.dataset)
        services = list(found.objects(whole, DCAT.service))
        assert (dataset, RDF.type, DCAT.Dataset) in found
        assert len(services) == 2
        for subject in (whole, dataset, *services):
            assert len(list(found.objects(subject, DCTERMS.title))) == 1
            assert str(found.value(subject, DCTERMS.description))
        for subject in (whole, dataset):
            (publisher,) = found.objects(subject, DCTERMS.publisher)
            assert (publisher, RDF.type, FOAF.Agent) in found
            assert len(list(found.objects(publisher, FOAF.name))) == 1
        for service in services:
            assert (service, RDF.type, DCAT.DataService) in found
            assert str(found.value(service, DCAT.endpointURL)) == "https://gateway.example:443"
        assert any((each, DCAT.servesDataset, dataset) in found for each in services)
        contacts = list(found.objects(dataset, DCAT.contactPoint))
        assert all((each, RDF.type, VCARD.Kind) in found for each in contacts)
        emails = {str(email) for each in contacts for email in found.objects(each, VCARD.hasEmail)}
        assert emails == {"mailto:desk@north.example"}
        links = {str(each) for each in found.all_nodes() if isinstance(each, rdflib.URIRef)}
        assert not [link for link in links if link.startswith("javascript:")]


def test_the_export_shows_no_more_than_the_directory(federation: FederationSimulator) -> None:
    """A stranger's catalogue has no dataset in it."""
    with graph(directory(federation, **STRANGER)) as found:
        assert list(found.subjects(RDF.type, DCAT.Dataset)) == []
        assert len(list(found.subjects(RDF.type, DCAT.DataService))) == 1


def test_a_contact_that_would_move_a_cursor_is_refused_at_the_owner() -> None:
    """The owner hears of it when the contract is read, not a caller's terminal."""
    with pytest.raises(odcs.ContractInvalid):
        odcs.read(responsible(support=[{"channel": "a\u001b[2J", "url": "mailto:x"}]), "here")
    assert plain("\u009b31m") != "\u009b31m"
