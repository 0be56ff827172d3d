"""One federation with its console, and one browser, for all of these tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

import landbridge.testing
from landbridge.federation.running import Federation
from tests.console.town import lay

Visitor = Callable[..., Page]


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three departments, their gateway and its console: real processes."""
    folder = lay(tmp_path_factory.mktemp("town") / "town")
    with landbridge.testing.federation(folder, console=True) as running:
        yield running


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's own; `.ci/run` installs it, so that it is never missing there.

    It ends with this folder: while Playwright runs, its event loop is this thread's, and no other
    test could run one.
    """
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI has no chromium: .ci/run must install it")
        pytest.skip("these tests need a browser: apt-get install chromium")
    expect.set_options(timeout=30_000)  # on a machine that has other things to do
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that a container's root has not.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def signed_in(town: Federation, chromium: Browser) -> Iterator[Visitor]:
    """A page of somebody who is signed in; each person has one browser context for all tests."""
    contexts: dict[str, BrowserContext] = {}

    def visitor(name: str, place: str = "/", **terms: object) -> Page:
        if name not in contexts:
            contexts[name] = chromium.new_context(
                ignore_https_errors=True,
                base_url=town.console_address,
                **terms,  # type: ignore[arg-type]
            )
            page = contexts[name].new_page()
            page.goto("/")
            page.get_by_role("button", name="Sign in at your organisation").click()
            page.get_by_role("button", name=name, exact=True).click()
            page.wait_for_url(f"{town.console_address}/")
            page.close()
        page = contexts[name].new_page()
        page.goto(place)
        return page

    yield visitor
    for each in contexts.values():
        each.close()
