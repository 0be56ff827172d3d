"""What becomes of one record that fits its form: new, a version of an earlier one, set aside, or
refused, from what is known of its id, of the record that it corrects and of its subject.

A refusal says nothing about what others handed in. Where somebody else has reported the same
subject, a record is accepted in the same words as any other and set aside: the first one counts,
until it is corrected by who may.
"""

from __future__ import annotations

from dataclasses import dataclass

from landbridge.submission.fate import Fate
from policies.contract import Correctors


@dataclass(frozen=True, slots=True)
class Party:
    """Who handed something in: a keyed digest of the caller, and the organisation."""

    contributor: str
    organisation: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record as it came. `key` names subject and period, empty where there may be many.

    `corrects` is empty for a new record, "key" for the one of the same subject and period, else an
    id; `digest` is over all that the record says.
    """

    id: str
    digest: str
    key: str
    corrects: str
    party: Party


@dataclass(frozen=True, slots=True)
class Held:
    """A record that was taken; `root` is the first version's id. `aside`: it does not count."""

    root: str
    digest: str
    key: str
    party: Party
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may correct, and whether anybody may now."""

    by: Correctors
    also: frozenset[str]
    open: bool

    def may(self, party: Party, held: Held) -> bool:
        """Whether that party may correct that record, and so may know of it."""
        if party.organisation in self.also or self.by is Correctors.ANYBODY:
            return True
        if self.by is Correctors.ORGANISATION:
            return party.organisation == held.party.organisation
        return party == held.party

    def own_key(self, incoming: Incoming) -> str:
        """What a record of this subject that was set aside is found by, for its party alone."""
        party = incoming.party
        contributor = party.contributor if self.by is Correctors.CONTRIBUTOR else ""
        return "\0".join((incoming.key, party.organisation, contributor))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`root`: the first version's id, where the record is taken; `claims`: what it is found by."""

    fate: Fate
    root: str = ""
    aside: bool = False
    claims: str = ""


def repeated(incoming: Incoming, known: Held) -> Verdict:
    """The verdict on an id that was taken before."""
    same = known.digest == incoming.digest and known.party == incoming.party
    return Verdict(Fate.DUPLICATE if same else Fate.REPLAYED)


def new_record(
    incoming: Incoming, rights: Rights, holder: Held | None, own: Held | None
) -> Verdict:
    """The verdict on a record that corrects none.

    `holder` is the record of the same subject that counts, `own` this party's that was set aside.
    """
    if not incoming.key or holder is None:
        return Verdict(Fate.ACCEPTED, incoming.id, claims=incoming.key)
    if rights.may(incoming.party, holder) or own is not None:
        return Verdict(Fate.ALREADY_REPORTED)
    return Verdict(Fate.ACCEPTED, incoming.id, aside=True, claims=rights.own_key(incoming))


def correction(
    incoming: Incoming, rights: Rights, original: Held | None, own: Held | None
) -> Verdict:
    """The verdict on a correction of `original`, or of this party's own that was set aside."""
    if not rights.open:
        return Verdict(Fate.LATE)
    for each in (original, own):
        if each is not None and each.key == incoming.key and rights.may(incoming.party, each):
            return Verdict(Fate.ACCEPTED, each.root, aside=each.aside)
    return Verdict(Fate.UNKNOWN_ORIGINAL)
