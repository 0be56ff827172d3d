"""A department is admitted in the console, by whoever may, with the fingerprint typed."""

from __future__ import annotations

import shutil
import time

from playwright.sync_api import expect

from gateway.register import Register
from landbridge.federation.running import Federation
from landbridge.membership.code import LIFETIME, JoinCode
from tests.console.conftest import Visitor
from tests.console.published import await_text
from tests.membership.test_enrolment import application


def test_an_operator_admits_an_applicant_and_refuses_another(
    signed_in: Visitor, town: Federation
) -> None:
    """Wrong fingerprint: nobody; the right one: a member; refused: gone. All of it in the log."""
    state = town.state / "gateway"
    # `landbridge up` keeps its authority beside the gateway; a real gateway has its own.
    shutil.copytree(town.state / "authority", state / "authority")
    register = Register(state, "town", time.time)
    made = {}
    for name in ("library", "museum"):
        code = JoinCode.create("town", "gateway", name, "g:1", int(time.time()) + LIFETIME, b"ca")
        register.invite(code)
        made[name] = application(code, name)
        assert register.apply(made[name], code.fingerprint).state == "waiting"
    auditor = signed_in("auditor", "/members")
    expect(auditor.get_by_role("region", name="museum")).to_be_visible()
    expect(auditor.get_by_role("button", name="Admit")).to_have_count(0)
    auditor.close()
    page = signed_in("operator", "/members")
    library = page.get_by_role("region", name="library")
    library.get_by_label("Fingerprint").fill("00" * 32)
    library.get_by_role("button", name="Admit").click()
    expect(page.get_by_text("another fingerprint")).to_be_visible()
    page.goto("/members")
    library.get_by_label("Fingerprint").fill(made["library"].fingerprint)
    library.get_by_role("button", name="Admit").click()
    expect(page.get_by_role("region", name="Members")).to_contain_text("library")
    assert register.applicants()["library"].state == "admitted"
    museum = page.get_by_role("region", name="museum")
    museum.get_by_role("button", name="Refuse").click()
    expect(page.get_by_text("Nobody waits to be admitted.")).to_be_visible()
    assert register.applicants()["museum"].state == "rejected"
    address = "/log?kind=console&department=library"
    await_text(page, address, page.locator("tbody"), "members: admitted library")
    page.close()
