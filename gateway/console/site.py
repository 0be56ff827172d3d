"""Everything behind the console's front: which page, for whom, logged before it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.console.page import Data, Done, Looking, Page, View
from gateway.console.roles import Roles, roles_of
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller
from landbridge.web.asking import HTML, Reply, see
from landbridge.web.front import Visit
from landbridge.web.pages import Pages
from landbridge.web.signin import SignedIn
from policies.access import AccessPolicy
from policies.moment import Moment

LONGEST_NOTE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Way:
    """A page's method and address; `{name}` in it stands for one part of a path."""

    method: str
    address: str
    pattern: re.Pattern[str]
    view: View

    @classmethod
    def of(cls, method: str, address: str, view: View) -> Way:
        """For example `GET /log/{index}`."""
        text = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]{1,200})", re.escape(address))
        return cls(method, address, re.compile(text), view)


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the pages that every page links to, for those who may look at it."""

    address: str
    title: str
    shown: Callable[[Roles], bool]


class Site:
    """The console's pages. `clock` gives seconds since 1970."""

    def __init__(
        self,
        title: str,
        log: str,
        ways: Sequence[Way],
        tabs: Sequence[Tab],
        recorder: Recorder,
        access: Callable[[], AccessPolicy],
        departments: Callable[[], Collection[str]],
        pages: Pages,
        languages: Mapping[str, str],
        clock: Callable[[], float],
    ) -> None:
        self.title = title
        self._log = log
        self._ways = tuple(ways)
        self._tabs = tuple(tabs)
        self._recorder = recorder
        self._access = access
        self._departments = departments
        self._pages = pages
        self._languages = languages
        self._clock = clock

    def visit(self, visit: Visit) -> Reply:
        """The page, once the look at it is in the log. (12)"""
        with self._recorder.request("console", resource=self._log) as draft:
            draft.caller(visit.caller)
            draft.note(note="no such page")
            way, place = self._way(visit)
            # The page's name, never what was typed: an address may hold anything.
            draft.note(note=f"{way.method} {way.address}")
            now = self._clock()
            roles = roles_of(
                visit.caller, self._access(), self._log, self._departments(), Moment.at(now)
            )
            draft.note(policies=list(roles.policies))
            shown = way.view(Looking(visit, roles, draft, now, place))
            draft.note(note=shown.note[:LONGEST_NOTE])
            match shown:
                case Page():
                    content = self._rendered(shown, visit, roles)
                    draft.answered(content)
                    return Reply(200, content, HTML, _where(draft))
                case Data():
                    headers = (*shown.headers.items(), *_where(draft))
                    if isinstance(shown.body, bytes):
                        draft.answered(shown.body)
                    else:
                        draft.admitted()  # it is as long as it is, and not held here
                    return Reply(200, shown.body, shown.kind, headers)
                case Done():
                    draft.admitted()
                    return see(shown.place)

    def signed_in(self, signed: SignedIn) -> None:
        """An entry that somebody came."""
        self._happened(signed.caller, "signed in")

    def signed_out(self, caller: Caller) -> None:
        """An entry that somebody went."""
        self._happened(caller, "signed out")

    def not_signed_in(self, failure: LandbridgeError) -> None:
        """An entry of a refused login, or one more in a count of them."""
        try:
            with self._recorder.request("console", resource=self._log):
                raise failure
        except LandbridgeError as logged:
            if logged.reason != failure.reason:
                raise

    def _happened(self, caller: Caller, note: str) -> None:
        with self._recorder.request("console", resource=self._log) as draft:
            draft.caller(caller)
            draft.note(note=note)
            draft.admitted()

    def _way(self, visit: Visit) -> tuple[Way, Mapping[str, str]]:
        for way in self._ways:
            if way.method == visit.ask.method:
                found = way.pattern.fullmatch(visit.ask.path)
                if found is not None:
                    return way, found.groupdict()
        raise error("INVALID_ARGUMENT", "There is no such page.")

    def _rendered(self, page: Page, visit: Visit, roles: Roles) -> bytes:
        values: dict[str, Any] = {
            "_": visit.language,
            "languages": self._languages,
            "title": self.title,
            "here": visit.ask.path,
            "caller": visit.caller,
            "roles": roles,
            "form": visit.session.form,
            "tabs": [each for each in self._tabs if each.shown(roles)],
        }
        return self._pages.render(page.template, **values, **page.values)


def _where(draft: Draft) -> tuple[tuple[str, str], ...]:
    """Under which entry the look stands: for whoever wants to see that it does."""
    logged = draft.logged
    return () if logged is None else (("landbridge-log-entry", str(logged.receipt.index)),)
