"""The log in the console: search, one entry with its proof, export.

What is shown is read from the log, never from the index; the proof is checked by the reader's own
browser (`static/verify.js`), against a checkpoint that the reader brings.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.console.browse import Search, Searching, facet_links
from gateway.console.drawing import drawn
from gateway.console.index import Index, departments_of
from gateway.console.page import Data, Looking, Page
from gateway.console.reading import Reading, Shown
from landbridge.errors import error
from landbridge.evidence import cloudevent, ocsf
from landbridge.evidence.merkle import leaf_hash

MOST: Final = 50
EXPORTED: Final = 100_000
"""Entries in one export; the command line has no such limit."""
BATCH: Final = 1_024
FORMATS: Final = ("jsonl", "ocsf", "cloudevents")


class LogPages:
    """The pages. `keys` gives the log's keys for persons, as they are now."""

    def __init__(
        self, index: Index, reading: Reading, keys: Callable[[], Searching], vkey: str
    ) -> None:
        self._index = index
        self._reading = reading
        self._searching = keys
        self._vkey = vkey

    def search(self, looking: Looking) -> Page:
        """The newest entries that are wanted, and what else there is."""
        looking.roles.require(looking.roles.looks)
        search = self._search(looking)
        found = self._index.newest(search.wanted, search.before, MOST + 1)
        # The index only says where to look: what does not fit the search is not of it.
        fits = _fitting(search)
        fitting = [each for each in self._reading.entries(found[:MOST]) if fits(each)]
        return Page(
            "log.html",
            {
                "search": search,
                "entries": [_listed(each) for each in fitting],
                "count": self._index.count(search.wanted),
                "facets": facet_links(search, self._index.facets(search.wanted)),
                "older": search.link(before=str(found[MOST - 1])) if len(found) > MOST else "",
                "indexed": self._index.size,
                "size": self._reading.published().size,
                "formats": FORMATS,
            },
            f"log?{self._noted(looking, search)}",
        )

    def entry(self, looking: Looking) -> Page:
        """One entry and its proof."""
        looking.roles.require(looking.roles.looks)
        proved = self._reading.proved(_number(looking.place["index"]))
        self._require_seen(looking, proved.shown)
        shown = proved.shown
        return Page(
            "entry.html",
            {
                "entry": _listed(shown),
                "fields": sorted(
                    (name, value if isinstance(value, str) else json.dumps(value, indent=1))
                    for name, value in shown.fields.items()
                ),
                "leaf": leaf_hash(shown.content).hex(),
                "content": b64encode(shown.content).decode(),
                "size": proved.size,
                "path": [each.hex() for each in proved.path],
                "drawing": drawn(shown.index, proved.size),
                "checkpoint": proved.checkpoint,
                "vkey": self._vkey,
                "origin": self._reading.name,
            },
            f"log/{shown.index}",
        )

    def proof(self, looking: Looking) -> Data:
        """The proof in the tree of another size, for the page's script."""
        looking.roles.require(looking.roles.looks)
        proved = self._reading.proved(
            _number(looking.place["index"]), _number(looking.visit.ask.one("size") or "0")
        )
        self._require_seen(looking, proved.shown)
        return _json(
            {"size": proved.size, "path": [each.hex() for each in proved.path]},
            f"log/{proved.shown.index}/proof",
        )

    def receipt(self, looking: Looking) -> Data:
        """Entry and proof as a file that `landbridge log verify` reads."""
        looking.roles.require(looking.roles.looks)
        proved = self._reading.proved(_number(looking.place["index"]))
        self._require_seen(looking, proved.shown)
        name = f"entry-{proved.shown.index}.json"
        entry = proved.shown.content.decode("utf-8", "surrogateescape")
        return Data(
            json.dumps({"entry": entry, "proof": proved.text}, indent=2).encode() + b"\n",
            "application/json",
            f"log/{proved.shown.index}/receipt",
            {"content-disposition": f'attachment; filename="{name}"'},
        )

    def consistency(self, looking: Looking) -> Data:
        """That the log extends the tree of a checkpoint that the reader has pinned."""
        looking.roles.require(looking.roles.looks)
        old = _number(looking.visit.ask.one("old"))
        size, path = self._reading.consistent(old)
        return _json(
            {"old": old, "size": size, "path": [each.hex() for each in path]},
            f"log/consistency?old={old}",
        )

    def checkpoint(self, looking: Looking) -> Data:
        """The published checkpoint, as a signed note."""
        looking.roles.require(looking.roles.looks)
        note = self._reading.published().checkpoint
        return Data(note.encode(), "text/plain; charset=utf-8", note="log/checkpoint")

    def export(self, looking: Looking) -> Data:
        """What is wanted, oldest first, for other programs."""
        looking.roles.require(looking.roles.looks)
        search = self._search(looking)
        form = looking.visit.ask.one("format") or "jsonl"
        if form not in FORMATS:
            raise error("INVALID_ARGUMENT", f"An export is {', '.join(FORMATS)}.")
        ending = {"jsonl": "jsonl", "ocsf": "ocsf.jsonl", "cloudevents": "cloudevents.json"}[form]
        return Data(
            self._exported(search, form),
            "application/json" if form == "cloudevents" else "application/x-ndjson",
            f"log/export?format={form}&{self._noted(looking, search)}",
            {"content-disposition": f'attachment; filename="log.{ending}"'},
        )

    def _exported(self, search: Search, form: str) -> Iterator[bytes]:
        after, left, opened = 0, EXPORTED, False
        fits = _fitting(search)
        while left > 0:
            indices = self._index.oldest(search.wanted, after, min(BATCH, left))
            lines = []
            for each in self._reading.entries(indices):
                if not each.whole or not fits(each):
                    continue
                document = self._document(each, form)
                if document is None:
                    continue
                if form == "cloudevents":
                    lines.append(b",\n" if opened else b"[\n")
                    opened = True
                lines.append(document)
                if form != "cloudevents":
                    lines.append(b"\n")
            yield b"".join(lines)
            if len(indices) < BATCH:
                break
            after, left = indices[-1] + 1, left - len(indices)
        if form == "cloudevents":
            yield b"\n]\n" if opened else b"[]\n"

    def _document(self, shown: Shown, form: str) -> bytes | None:
        found = self._reading.found(shown)
        if form == "ocsf":
            if "unreadable" in shown.fields:
                return None
            said: Mapping[str, Any] = ocsf.event(found)
        elif form == "cloudevents":
            said = cloudevent.event(found)
        else:
            said = {
                "log": found.log,
                "index": found.index,
                "leaf_hash": found.leaf_hash.hex(),
                **found.fields,
            }
        return json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()

    def _search(self, looking: Looking) -> Search:
        self._index.look()
        return self._searching().read(looking.visit.ask, looking.roles.sees)

    def _noted(self, looking: Looking, search: Search) -> str:
        recorder = looking.draft.recorder
        return search.noted(self._index.knows, lambda text: recorder.digest("text", text))

    def _require_seen(self, looking: Looking, shown: Shown) -> None:
        """An officer sees what has to do with their department; of anything else, nothing."""
        sees = looking.roles.sees
        if sees is None:
            return
        of = departments_of(shown.fields)
        if not any(f"|{name}|" in of for name in sees):
            raise error("INVALID_ARGUMENT", "There is no such entry in a tree of that size.")


def _fitting(search: Search) -> Callable[[Shown], bool]:
    """Whether an entry, as the log has it, is one that was searched for and may be seen."""
    test, departments = search.wanted.selection.test(), search.wanted.departments

    def fits(shown: Shown) -> bool:
        if departments is not None:
            of = departments_of(shown.fields)
            if not any(f"|{name}|" in of for name in departments):
                return False
        return not shown.whole or test(shown.fields)

    return fits


def _listed(shown: Shown) -> dict[str, Any]:
    said = shown.fields
    words: Sequence[str] = ("kind", "outcome", "reason", "organisation", "purpose", "question")
    return {
        "index": shown.index,
        "whole": shown.whole,
        "time": str(said.get("time", ""))[:19].replace("T", " "),
        "resource": str(said.get("resource", "")),
        "note": str(said.get("note", "")),
        "unreadable": str(said.get("unreadable", "")),
        **{name: str(said.get(name, "")) for name in words},
    }


def _json(document: Mapping[str, Any], note: str) -> Data:
    return Data(json.dumps(document).encode(), "application/json", note=note)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise error("INVALID_ARGUMENT", "That is no number of an entry.")
    return int(text)
