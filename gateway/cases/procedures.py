"""The procedures that this gateway knows, and whether they can be opened now.

The texts are read when the gateway starts; one that is no procedure stops the start. Whether every
value may flow where it goes depends on what the departments declare: a procedure is loaded while
they all say yes, and not while one of them does not, or was never heard of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gateway.cases.store import Store
from gateway.catalogue import Catalogue, HandlerOffer
from policies.flow import Offered, problems
from policies.procedure import Procedure, ProcedureInvalid, read


def read_folder(folder: Path) -> dict[str, Procedure]:
    """Every `*.yaml` of the folder, by name; none where there is no folder."""
    found: dict[str, Procedure] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ProcedureInvalid(str(path), ["the file is not UTF-8"]) from None
        procedure = read(text, str(path))
        if procedure.name in found:
            raise ProcedureInvalid(str(path), [f"{procedure.name} stands in two files"])
        found[procedure.name] = procedure
    return found


class Procedures:
    """Declared procedures by name, and by digest those that open cases keep to."""

    def __init__(
        self,
        declared: Mapping[str, Procedure],
        store: Store,
        catalogue: Callable[[], Catalogue],
        tell: Callable[[str], None],
    ) -> None:
        self._declared = declared
        self._store = store
        self._catalogue = catalogue
        self._tell = tell
        self._earlier = {each.digest: each for each in declared.values()}
        self._looked: Catalogue | None = None
        self._refused: dict[str, tuple[str, ...]] = {}

    def known(self) -> dict[str, Procedure]:
        """Every declared one, loaded or not, and those that open cases keep to, by name."""
        earlier = (self.of(digest) for digest in self._store.digests())
        return {**{each.name: each for each in earlier}, **self._declared}

    def loaded(self, name: str) -> Procedure | None:
        """The procedure, if every department lets every value flow where it goes."""
        self.look()
        if name in self._refused:
            return None
        return self._declared.get(name)

    def look(self) -> None:
        """Compares with what the departments declare, where that has changed."""
        known = self._catalogue()
        if known is self._looked:
            return
        self._looked = known
        offered = offers(
            (f"{department}.{name}", handler)
            for department, offer in known.offers.items()
            for name, handler in offer.handlers.items()
        )
        refused = {
            name: found
            for name, each in self._declared.items()
            if (found := problems(each, offered))
        }
        for name, found in refused.items():
            if self._refused.get(name) != found:
                self._tell(f"procedure {name} is not loaded: {'; '.join(found)}")
        self._refused = refused

    def of(self, digest: str) -> Procedure:
        """The procedure that a case was opened under, whatever is declared now."""
        found = self._earlier.get(digest)
        if found is None:
            found = read(self._store.text(digest), "the store of cases")
            self._earlier[digest] = found
        return found


def offers(handlers: Iterable[tuple[str, HandlerOffer]]) -> dict[str, Offered]:
    """What procedures have to fit, by department.handler."""
    return {
        name: Offered(
            arguments=dict(handler.arguments),
            sources=handler.sources,
            passes=handler.passes,
            codes=frozenset(handler.codes),
            purposes=handler.purposes,
            procedures=handler.procedures,
            subject=handler.subject,
            consent=handler.consent,
        )
        for name, handler in handlers
    }
