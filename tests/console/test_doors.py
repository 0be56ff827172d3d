"""The console's door over real HTTPS: who is let in, what a form must carry, what is logged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from tests.console.town import XSS
from tests.evidence.schema import problems
from tests.web.provider import Browser, authorize


def entered(town: Federation, name: str) -> Browser:
    """A browser in which that person is signed in."""
    browser = Browser(town.ca)
    came = browser.post(f"{town.console_address}/sign-in", {"next": "/"})
    assert came.status == 303, came.body
    back = browser.get(authorize(Browser(town.ca), came.header("location"), name))
    assert back.status == 303, back.body
    return browser


def form_of(browser: Browser, town: Federation) -> str:
    """The secret that this session's forms carry."""
    found = re.search(r'name="form" value="([^"]+)"', browser.get(f"{town.console_address}/").body)
    assert found is not None
    return found[1]


def entries(town: Federation) -> list[dict[str, object]]:
    """What the gateway has published of its log, verified."""
    found = []
    for _, content in verify_folder(town.log()).entries():
        found.append(json.loads(content))
        if found[-1]["kind"] == "console":
            assert problems(content) == []
    return found


def test_a_stranger_sees_nothing_but_the_door(town: Federation) -> None:
    """Every address leads to the sign-in, which names nobody and none of the data."""
    browser = Browser(town.ca)
    for place in ("/", "/log", "/log/0", "/budgets", "/log/0/proof.json", "/nowhere"):
        came = browser.get(town.console_address + place)
        assert "Sign in at your organisation" in came.body
        assert "auditor" not in came.body
    asked_by_script = browser.get(f"{town.console_address}/log", accept="application/json")
    assert asked_by_script.status == 401
    assert browser.cookies == {}


def test_every_page_says_what_a_browser_must_not_do(town: Federation) -> None:
    """No script but our files, no frame, no other host, nothing kept on disk; also on errors."""
    browser = entered(town, "auditor")
    for place in ("/", "/log", "/log/0", "/nowhere", "/log/export?format=nothing", "/static/none"):
        came = browser.get(town.console_address + place)
        policy = came.header("content-security-policy")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert came.header("x-content-type-options") == "nosniff"
        assert came.header("cache-control") == "no-store"
        assert came.header("server") == ""
        assert not re.search(r"<script(?![^>]* src=\"/static/)|<style|\sstyle=|\son\w+=", came.body)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', came.body)


@pytest.mark.parametrize("spoilt", ["none", "other", "site"])
def test_a_form_that_another_site_made_does_nothing(town: Federation, spoilt: str) -> None:
    """Signing out needs the session's secret, and a browser that does not say it came from afar."""
    browser = entered(town, "auditor")
    form = {"none": "", "other": "x" * 43, "site": form_of(browser, town)}[spoilt]
    headers = {"sec_fetch_site": "cross-site"} if spoilt == "site" else {}
    came = browser.post(f"{town.console_address}/sign-out", {"form": form}, **headers)
    assert came.status == 403
    assert "FORM_INVALID" in came.body
    assert browser.get(f"{town.console_address}/log").status == 200


def test_who_signs_out_is_out_with_the_same_cookie(town: Federation) -> None:
    """A cookie that somebody copied before is worth nothing after."""
    browser = entered(town, "auditor")
    copied = dict(browser.cookies)
    browser.post(f"{town.console_address}/sign-out", {"form": form_of(browser, town)})
    thief = Browser(town.ca, copied)
    assert "Sign in at your organisation" in thief.get(f"{town.console_address}/log").body


def test_signing_in_gives_a_new_session(town: Federation) -> None:
    """A name that somebody planted before is not the one that is signed in (session fixation)."""
    browser = Browser(town.ca, {"__Host-landbridge": "planted"})
    came = browser.post(f"{town.console_address}/sign-in", {"next": "/"})
    browser.get(authorize(Browser(town.ca), came.header("location")))
    assert browser.cookies["__Host-landbridge"] != "planted"


def test_everything_that_is_looked_at_is_in_the_log_before_it_is_shown(town: Federation) -> None:
    """The reply names its entry; the entry names the page, the office, and nobody."""
    browser = entered(town, "auditor")
    came = browser.get(f"{town.console_address}/log?kind=start&caller=planner")
    index = int(came.header("landbridge-log-entry"))
    browser.get(f"{town.console_address}/log/checkpoint")  # published by then, or soon
    for _ in range(50):
        found = entries(town)
        if len(found) > index:
            break
        browser.get(f"{town.console_address}/static/console.css")
    entry = found[index]
    assert (entry["kind"], entry["outcome"]) == ("console", "answered")
    assert str(entry["note"]).startswith("log?kind=start&caller=")
    assert entry["organisation"] == "audit-office"
    assert "planner" not in json.dumps(entry)
    assert "auditor" not in json.dumps({**entry, "policies": []})
    assert entry["policies"] == ["town.audit"]


def test_nobody_is_shown_what_policy_does_not_open_to_them(town: Federation) -> None:
    """Without a role there is a greeting and refusals, each of them logged."""
    browser = entered(town, "nobody")
    assert "opens no page" in browser.get(f"{town.console_address}/").body
    for place in ("/log", "/log/0", "/log/export", "/log/checkpoint", "/budgets"):
        came = browser.get(town.console_address + place)
        assert came.status == 403, place
        assert "ACCESS_DENIED" in came.body


def test_an_officer_sees_their_department_only(town: Federation) -> None:
    """A question to both cities is theirs, one to the other city is not there for them."""
    with town.client("planner") as client:
        for city in ("harbour", "hilltop"):
            client.query(
                f"SELECT heating, count(*) AS n FROM {city}.household GROUP BY heating",
                purpose="dpv:ServiceProvision",
                epsilon=0.1,
            )
    auditor, officer = entered(town, "auditor"), entered(town, "officer_harbour")
    found = {}
    for city in ("harbour", "hilltop"):
        for _ in range(50):
            body = auditor.get(f"{town.console_address}/log?department={city}&kind=query").body
            numbers = re.findall(r'<a href="/log/(\d+)">', body)
            if numbers:
                break
        found[city] = numbers[0]
    assert officer.get(f"{town.console_address}/log/{found['harbour']}").status == 200
    hidden = officer.get(f"{town.console_address}/log/{found['hilltop']}")
    missing = officer.get(f"{town.console_address}/log/999999")
    assert hidden.status == missing.status == 400
    assert officer.get(f"{town.console_address}/log/{found['hilltop']}/receipt").status == 400
    assert officer.get(f"{town.console_address}/log?department=hilltop").status == 403
    listed = officer.get(f"{town.console_address}/log").body
    assert f'<a href="/log/{found["harbour"]}">' in listed
    assert f'<a href="/log/{found["hilltop"]}">' not in listed


def test_an_export_is_what_was_filtered_and_a_proof_checks_offline(
    town: Federation, tmp_path: Path
) -> None:
    """What leaves the console is worth something without it."""
    browser = entered(town, "auditor")
    came = browser.get(f"{town.console_address}/log/export?format=jsonl&kind=start")
    lines = [json.loads(line) for line in came.body.splitlines()]
    assert [each["kind"] for each in lines] == ["start"]
    for form in ("ocsf", "cloudevents"):
        other = browser.get(f"{town.console_address}/log/export?format={form}&kind=start")
        assert other.status == 200
        assert other.body.strip()
    receipt = tmp_path / "receipt.json"
    proof = browser.get(f"{town.console_address}/log/{lines[0]['index']}/receipt")
    receipt.write_text(proof.body)
    done = subprocess.run(
        [
            sys.executable, "-m", "landbridge.cli.app", "log", "verify", str(receipt),
            "--key", str(town.log() / "vkey"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_markup_in_an_address_is_shown_and_not_run(town: Federation) -> None:
    """Reflected markup, in every place that repeats what was asked."""
    browser = entered(town, "auditor")
    for place in (f"/log?organisation={XSS}", f"/log?resource={XSS}&looks=yes", f"/{XSS}"):
        came = browser.get(town.console_address + place.replace(" ", "%20"))
        assert "<script>document" not in came.body
