"""The console in real Chromium, as an auditor and an officer use it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from landbridge.federation.running import Federation
from tests.console.conftest import Visitor
from tests.console.published import await_text
from tests.console.town import XSS

PURPOSE = "dpv:ServiceProvision"


@pytest.fixture(scope="module")
def asked(town: Federation) -> None:
    """There is something to see: answers, refusals, markup as a name and as a text."""
    with town.client("planner") as client:
        for epsilon in (0.1, 0.2):
            answer = client.query(
                "SELECT heating, count(*) AS n FROM harbour.household GROUP BY heating",
                purpose=PURPOSE,
                epsilon=epsilon,
            )
    with town.client(XSS) as client:
        for text in (f"SELECT '{XSS}' FROM household", f'SELECT count(*) FROM "{XSS}"'):
            with pytest.raises(Exception):  # noqa: B017, PT011 - any refusal will do
                client.query(text, purpose=PURPOSE)
    assert answer.receipt is not None
    answered = answer.receipt.verify((town.log() / "vkey").read_text().strip()).index
    for _ in range(200):  # until the two refusals behind it are published
        if int((town.log() / "checkpoint").read_text().splitlines()[1]) > answered + 2:
            return
        time.sleep(0.1)
    raise AssertionError("the log was not published")


def serious(page: Page, *rules: str) -> list[str]:
    """What axe finds on the page that is serious or critical, by all its rules or by these."""
    # Nothing but what it finds; there is no style sheet or film to be fetched for it.
    options = {"resultTypes": ["violations"], "preload": False}
    found = (
        Axe()
        .run(page, options=options | ({"runOnly": list(rules)} if rules else {}))
        .response["violations"]
    )
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


EVERY = [
    "/",
    "/log",
    "/log/0",
    "/anomalies",
    "/budgets",
    "/policies",
    "/consultations",
    "/cases",
    "/members",
]
PAGES = {
    "auditor": EVERY,
    "officer_harbour": ["/", "/log", "/consultations", "/cases"],
    "operator": ["/members"],
    "portal": ["/", "/about"],
    "nobody": ["/", "/log"],
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_for_everybody(signed_in: Visitor, asked: None, name: str) -> None:
    """Axe finds nothing serious, light and dark; nothing is wider than 360 px; no error is told."""
    del asked
    page = signed_in(name, "about:blank")  # one for all: a page of its own is a process each
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    for place in PAGES[name]:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(place)
        if name != "officer_harbour":  # the auditor's pages, with fewer rows
            assert serious(page) == [], place
        if place in ("/", "/log/0", "/policies"):
            page.emulate_media(color_scheme="dark")
            assert serious(page, "color-contrast") == [], place
        page.set_viewport_size({"width": 360, "height": 740})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, (place, wide)
        assert [each for each in told if "Content Security Policy" in each] == [], place
    page.close()


def test_an_auditor_goes_from_a_search_to_a_verified_proof(
    signed_in: Visitor, town: Federation, asked: None
) -> None:
    """Search, entry, a checkpoint that the auditor has from elsewhere: verified in the browser."""
    del asked
    page = signed_in("auditor", "/log")
    page.get_by_role("textbox", name="Organisation").fill("province-office")
    page.get_by_role("textbox", name="Outcome").fill("answered")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Entries found:")).to_be_visible()
    page.locator("tbody th a").first.click()
    expect(page).to_have_url(re.compile(r"/log/\d+$"))
    # From the log's folder, as a witness or a mirror would have it.
    page.locator("#checkpoint").fill((town.log() / "checkpoint").read_text())
    page.locator("#vkey").fill((town.log() / "vkey").read_text().strip())
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.locator("#verdict")).to_have_class("good")
    expect(page.locator("#verdict")).to_contain_text("Verified")
    expect(page.locator("#drawing")).to_have_class("proof good")
    page.close()


def test_a_pinned_checkpoint_is_older_than_the_entry_and_the_log_extends_it(
    signed_in: Visitor, town: Federation
) -> None:
    """Pinned once, every later entry is held against it: inclusion now, consistency since then."""
    page = signed_in("auditor", "/log/0")
    page.get_by_role("button", name="Take this page's checkpoint").click()
    expect(page.locator("#verdict")).to_contain_text("agrees with itself")
    page.get_by_role("button", name="Pin this checkpoint").click()
    expect(page.locator("#verdict")).to_contain_text("Pinned")
    pinned = int(page.locator("#checkpoint").input_value().splitlines()[1])
    with town.client("planner") as client:
        client.explain("SELECT count(*) AS n FROM harbour.household", purpose=PURPOSE)
    for _ in range(40):
        page.goto("/log?looks=yes")
        newest = int(page.locator("tbody th a").first.inner_text())
        if newest >= pinned:
            break
    page.goto(f"/log/{newest}")
    expect(page.locator("#verdict")).to_have_class("good")
    expect(page.locator("#verdict")).to_contain_text("newer than your checkpoint")
    page.evaluate("localStorage.clear()")
    page.close()


def other(text: str, at: int) -> str:
    """The same base64 with another letter there."""
    letters = list(text)
    letters[at] = "A" if letters[at] != "A" else "B"
    return "".join(letters)


@pytest.mark.parametrize("spoilt", ["root", "signature", "key", "nothing"])
def test_a_checkpoint_that_does_not_hold_is_said_to_be_broken(
    signed_in: Visitor, town: Federation, spoilt: str
) -> None:
    """Another root under the same signature, another signature, another key, no checkpoint."""
    note, vkey = (town.log() / "checkpoint").read_text(), (town.log() / "vkey").read_text().strip()
    lines = note.split("\n")
    if spoilt == "root":
        lines[2] = other(lines[2], 5)
    elif spoilt == "signature":
        lines[4] = other(lines[4], -20)
    elif spoilt == "key":
        vkey = other(vkey, -10)
    else:
        lines = ["what"]
    page = signed_in("auditor", "/log/0")
    page.locator("#checkpoint").fill("\n".join(lines))
    page.locator("#vkey").fill(vkey)
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.locator("#verdict")).to_have_class("bad")
    page.close()


def test_a_tampered_entry_is_shown_as_broken(signed_in: Visitor, town: Federation) -> None:
    """One byte of an entry on the gateway's disk: the server says so, and so does the browser."""
    page = signed_in("auditor", "/log/0")
    page.locator("#checkpoint").fill((town.log() / "checkpoint").read_text())
    page.locator("#vkey").fill((town.log() / "vkey").read_text().strip())
    note, vkey = page.locator("#checkpoint").input_value(), page.locator("#vkey").input_value()
    bundles = sorted((town.log() / "tile" / "entries").rglob("*"), key=lambda path: str(path))
    kept: dict[Path, bytes] = {path: path.read_bytes() for path in bundles if path.is_file()}
    try:
        for path, content in kept.items():
            path.write_bytes(content.replace(b'"kind":"start"', b'"kind":"stopt"', 1))
        page.goto("/log/0")
        expect(page.locator("#broken")).to_be_visible()
        page.locator("#checkpoint").fill(note)
        page.locator("#vkey").fill(vkey)
        page.get_by_role("button", name="Verify", exact=True).click()
        expect(page.locator("#verdict")).to_have_class("bad")
        expect(page.locator("#verdict")).to_contain_text("Broken")
        expect(page.locator("#drawing")).to_have_class("proof bad")
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    page.close()


def test_markup_as_a_name_and_in_a_text_is_shown_as_text(signed_in: Visitor, asked: None) -> None:
    """A caller's name and a question's text come from strangers: they run nowhere."""
    del asked
    page = signed_in("auditor", f"/log?caller={XSS}&looks=yes")
    assert "taken" not in page.title()
    expect(page.get_by_text("Entries found:")).to_be_visible()
    for entry in page.locator("tbody th a").all_inner_texts():
        page.goto(f"/log/{entry}")
        assert "taken" not in page.title()
    page.close()
    strange = signed_in(XSS, "/log")
    assert "taken" not in strange.title()
    strange.goto("/")
    expect(strange.locator(".who")).to_contain_text(XSS)
    assert "taken" not in strange.title()
    strange.close()


def test_the_whole_way_is_open_to_the_keyboard(signed_in: Visitor) -> None:
    """Skip link first, then the pages, each with a focus that is seen."""
    page = signed_in("auditor", "/log")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.get_by_role("textbox", name="Organisation").focus()
    page.keyboard.type("province-office")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("organisation=province-office"))
    page.close()


def test_overdue_cases_stand_first_with_a_timeline_for_each_step(
    signed_in: Visitor, town: Federation
) -> None:
    """One case that went its way, and one whose department says nothing."""
    with town.client("applicant") as client:
        client.open_case("open_restaurant", purpose=PURPOSE, company="R-100").wait(30)
        town.kill("market")
        try:
            late = client.open_case("open_restaurant", purpose=PURPOSE, company="R-200")
            for _ in range(100):
                if any(change.state == "asked" for change in client.case(late.id).history()):
                    break
                time.sleep(0.1)
            time.sleep(1.2)  # its deadline
            page = signed_in("auditor", "/cases")
            first = page.locator("tbody tr").first
            expect(first).to_contain_text("overdue")
            first.get_by_role("link").click()
            expect(
                page.get_by_role("heading", name="Registered and in good standing")
            ).to_be_visible()
            expect(page.locator("ol.timeline li").first).to_contain_text("asked")
            officer = signed_in("officer_harbour", f"/cases/{late.id}")
            expect(officer.get_by_text("There is no such case.")).to_be_visible()
            officer.close()
            page.close()
        finally:
            town.restart("market")


def test_policies_show_what_lets_out_what_and_how_versions_differ(
    signed_in: Visitor, town: Federation
) -> None:
    """A changed policy comes into force while the gateway runs: kept, logged, compared."""
    path = town.folder.path / "gateway" / "access.cedar"
    before = path.read_text()
    more = 'permit (principal in Organisation::"newcomers", action == Action::"audit", resource);'
    page = signed_in("auditor", "/policies")
    expect(page.get_by_role("region", name="What lets out what")).to_contain_text("province-office")
    expect(page.locator("tbody tr", has_text="province-office").first).to_contain_text("harbour")
    # One city publishes its own policy, which says more than the gateway's; the other does not.
    rows = page.get_by_role("region", name="What lets out what").locator("tbody tr")
    expect(rows.filter(has_text="harbour.household").first).to_contain_text(
        "gateway and department"
    )
    expect(rows.filter(has_text="hilltop.household").first).to_contain_text("is not known here")
    page.locator("summary", has_text="harbour").click()
    expect(page.get_by_role("region", name="Access policy of harbour")).to_contain_text(
        "harbour.joint-form"
    )
    expect(page.locator("summary", has_text="hilltop")).to_contain_text("not published")
    handlers = page.get_by_role("region", name="Contracts and handlers")
    expect(handlers).to_contain_text("market.registered()")
    expect(page.get_by_role("region", name="Versions")).to_contain_text("loaded by the gateway")
    officer = signed_in("officer_harbour", "/policies")
    expect(officer.locator("summary")).to_have_count(1)
    expect(officer.get_by_role("region", name="Contracts and handlers")).not_to_contain_text(
        "market"
    )
    officer.close()
    try:
        path.write_text(f'{before}\n@id("town.newcomers")\n{more}\n')
        own = page.locator("tbody tr", has_text="file of user")
        for _ in range(150):
            page.reload()
            if own.count() > 1:
                break
            time.sleep(0.2)
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("ins", has_text="newcomers").first).to_be_visible()
        changes = page.get_by_role("region", name="Changes in the log")
        await_text(page, "/policies", changes, "replaced by")
    finally:
        path.write_text(before)
    page.close()


def test_a_portal_shows_who_looked_at_a_person(signed_in: Visitor, town: Federation) -> None:
    """The case's step was about one company: the list names the office, and the address nobody."""
    with town.client("applicant") as client:
        client.open_case("open_restaurant", purpose=PURPOSE, company="R-300").wait(30)
    page = signed_in("portal", "/about")
    page.get_by_role("textbox", name="Identifier of the person").fill("R-300")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("region", name="Accesses")).to_be_visible()
    assert "R-300" not in page.url
    page.close()


def test_members_are_admitted_by_whoever_may_enrol_and_with_the_fingerprint_only(
    signed_in: Visitor,
) -> None:
    """An auditor sees who waits and has no button; a wrong fingerprint admits nobody."""
    page = signed_in("auditor", "/members")
    expect(page.get_by_role("region", name="Members")).to_contain_text("harbour")
    expect(page.get_by_role("button", name="Admit")).to_have_count(0)
    form = page.locator('input[name="form"]').first.input_value()
    reply = page.request.post(
        "/members", form={"form": form, "department": "harbour", "decision": "reject"}
    )
    assert reply.status == 403
    page.close()


FINE = (
    "SELECT quarter, date_trunc('day', answered) AS day, arrears, count(*) AS households "
    "FROM harbour.household GROUP BY quarter, day, arrears"
)


def test_an_officer_approves_and_narrows_a_consultation_at_their_own_desk(
    chromium: Browser, signed_in: Visitor, town: Federation
) -> None:
    """In a browser, with their own token, at their own node: the gateway only carries it."""
    context = chromium.new_context(
        ignore_https_errors=True, base_url=town.desk_address("harbour"), locale="en-GB"
    )
    with town.client("planner") as client:
        plain = client.consult(
            FINE, purpose=PURPOSE, basis=f"Act on Relief, section 4 {XSS}", epsilon=0.5
        )
        page = context.new_page()
        page.goto("/")
        page.get_by_role("button", name="Sign in at your organisation").click()
        page.get_by_role("button", name="officer_harbour", exact=True).click()
        assert serious(page) == []
        page.locator("tbody th a").first.click()
        expect(page.get_by_text("Act on Relief")).to_contain_text(XSS)
        assert "taken" not in page.title()
        assert serious(page) == []
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_role("button", name="Approve").click()
        expect(page.locator("dl.pairs dd").first).to_contain_text("approved")
        assert client.consultation(plain.id).view.state == "approved"
        fine = client.consult(FINE, purpose=PURPOSE, basis="section 5", epsilon=0.4)
        page.goto(f"/{fine.id.partition('.')[2]}")
        page.get_by_role("checkbox", name="without quarter").check()
        page.get_by_label("What you say to the caller").fill("By month this serves as well.")
        page.get_by_role("button", name="Offer less").click()
        expect(page.locator("ol.timeline")).to_contain_text("By month this serves as well.")
        offered = client.consultation(fine.id)
        assert offered.view.state == "offered"
        offered.accept()
        last = client.consult(FINE, purpose=PURPOSE, basis="section 6", epsilon=0.3)
        page.goto(f"/{last.id.partition('.')[2]}")
        page.get_by_label("What you say to the caller").fill("The act does not cover it.")
        page.get_by_role("button", name="Decline").click()
        expect(page.locator("dl.pairs dd").first).to_contain_text("declined")
    context.close()
    listed = signed_in("officer_harbour", "/consultations")
    expect(listed.get_by_role("link", name="Desk of harbour", exact=True)).to_have_attribute(
        "href", town.desk_address("harbour")
    )
    expect(listed.get_by_text(plain.id)).to_be_visible()
    listed.close()


def test_an_auditor_cannot_decide_anything_at_a_desk(chromium: Browser, town: Federation) -> None:
    """The node's own policy knows no such officer: an empty queue, and a refusal for an address."""
    with town.client("planner") as client:
        waiting = client.consult(FINE, purpose=PURPOSE, basis="section 7", epsilon=0.2)
        context = chromium.new_context(
            ignore_https_errors=True, base_url=town.desk_address("harbour")
        )
        page = context.new_page()
        page.goto("/")
        page.get_by_role("button", name="Sign in at your organisation").click()
        page.get_by_role("button", name="auditor", exact=True).click()
        expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
        form = page.locator('input[name="form"]').first.input_value()
        reply = page.request.post(
            f"/{waiting.id.partition('.')[2]}",
            form={"form": form, "decision": "approve", "turn": "1"},
        )
        assert not reply.ok
        assert client.consultation(waiting.id).view.state == "open"
        context.close()
