"""The pictures of docs/console: `python -m tests.console.shots docs/console`.

Not a test: it shows the console over the small federation of these tests, after a busy minute.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright

import landbridge.testing
from landbridge.errors import LandbridgeError
from landbridge.federation.running import Federation
from tests.console.test_browser import FINE, PURPOSE
from tests.console.town import lay

SHOTS = {
    "overview": "/",
    "log": "/log",
    "anomalies": "/anomalies",
    "budgets": "/budgets",
    "policies": "/policies",
    "consultations": "/consultations",
    "cases": "/cases",
    "members": "/members",
}


def busy(town: Federation) -> None:
    """Some questions, some refusals, a case, a consultation."""
    with town.client("planner") as client:
        for city in ("harbour", "hilltop", "harbour"):
            for epsilon in (0.1, 0.2, 0.3):
                client.query(
                    f"SELECT heating, count(*) AS n FROM {city}.household GROUP BY heating",
                    purpose=PURPOSE,
                    epsilon=epsilon,
                )
        for text in ("SELECT name FROM household", FINE):
            try:
                client.query(text, purpose=PURPOSE)
            except LandbridgeError:
                continue
        client.consult(FINE, purpose=PURPOSE, basis="Act on the Relief of Energy Costs, section 4")
    with town.client("applicant") as client:
        client.open_case("open_restaurant", purpose=PURPOSE, company="R-100").wait(30)
    time.sleep(1)


def enter(context: BrowserContext, name: str) -> None:
    """Signs that person in."""
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Sign in at your organisation").click()
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_selector(".who")
    page.close()


def main(folder: Path) -> None:
    """Writes the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        laid = lay(Path(place) / "town")
        with landbridge.testing.federation(laid, console=True) as town:
            busy(town)
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox"]
            )
            console = browser.new_context(
                ignore_https_errors=True,
                base_url=town.console_address,
                viewport={"width": 1000, "height": 700},
            )
            enter(console, "auditor")
            page = console.new_page()
            for name, address in SHOTS.items():
                page.goto(address)
                page.screenshot(path=folder / f"{name}.png", full_page=name != "policies")
            page.goto("/log?kind=query")
            page.locator("tbody th a").first.click()
            page.locator("#checkpoint").fill((town.log() / "checkpoint").read_text())
            page.locator("#vkey").fill((town.log() / "vkey").read_text().strip())
            page.get_by_role("button", name="Verify", exact=True).click()
            page.wait_for_selector("#verdict.good")
            page.emulate_media(color_scheme="dark")
            page.screenshot(path=folder / "proof-dark.png", full_page=True)
            page.goto("/language?tag=zh-Hant&next=/log")
            page.set_viewport_size({"width": 360, "height": 700})
            page.emulate_media(color_scheme="light")
            page.screenshot(path=folder / "narrow-zh-hant.png")
            desk = browser.new_context(
                ignore_https_errors=True,
                base_url=town.desk_address("harbour"),
                viewport={"width": 1000, "height": 700},
            )
            enter(desk, "officer_harbour")
            page = desk.new_page()
            page.goto("/")
            page.locator("tbody th a").first.click()
            page.screenshot(path=folder / "desk.png", full_page=True)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
