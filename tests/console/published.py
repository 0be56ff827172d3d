"""Pages show what is published, and what has just happened is published a moment later."""

from __future__ import annotations

import time

from playwright.sync_api import Locator, Page, expect


def await_text(page: Page, address: str, where: Locator, text: str) -> None:
    """Opens the page until the text stands there; fails where it never does."""
    for _ in range(100):
        page.goto(address)
        if text in where.inner_text():
            return
        time.sleep(0.1)
    expect(where).to_contain_text(text)
