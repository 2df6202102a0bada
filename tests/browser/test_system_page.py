"""The page of the system, over a real service."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from runs.access import keys
from runs.db import writing
from runs.life.leases import Worker, claim
from runs.life.workers import sign_off
from runs.tables import RunRow, WorkerRow

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]


@pytest.fixture
def workers(served: Service, tell: Tell) -> Any:
    """One with two GPUs, of which a run holds one, one that is out of disk; and two runs in the queue."""
    made = [tell(name=name) for name in ("held", "patient", "urgent")]
    with writing(served.engine) as session:
        session.add(WorkerRow(id="w-gpu", host="gpu-host", pid=1, gpus=2, slots=2, free_bytes=1 << 40))
        session.add(WorkerRow(id="w-full", host="full-host", pid=1, gpus=0, slots=1, free_bytes=5))
        session.get(RunRow, made[0].id).gpus = 1
        session.get(RunRow, made[2].id).priority = 7
        session.flush()
        claim(session, made[0].id, Worker("w-gpu", "gpu-host", 2), 600)
    yield made
    with writing(served.engine) as session:
        sign_off(session, "w-gpu")
        sign_off(session, "w-full")


def test_workers_gpus_leases_and_the_queue(page: Page, served: Service, workers: list[Story]) -> None:
    held, patient, urgent = workers
    page.goto(served.url)
    page.get_by_role("link", name="System").click()
    expect(page.get_by_role("heading", name="System", level=1)).to_be_visible()
    box = page.get_by_role("region", name="Workers")
    expect(box.locator(".worker").filter(has_text="gpu-host")).to_contain_text("1 of 2 slots taken")
    expect(box.locator(".gpu")).to_have_text([re.compile("GPU 0.*held"), "free"])
    expect(box.locator(".worker").filter(has_text="full-host")).to_contain_text("5 bytes free")
    leases = page.get_by_role("region", name="Leases").first
    expect(leases).to_contain_text("held")
    expect(leases).to_contain_text(re.compile(r"\d+ min.* left"))
    queue = page.locator("section", has=page.get_by_role("heading", name="Queue")).locator("tbody tr")
    expect(queue.first).to_contain_text("urgent")
    served.post(f"/runs/{urgent.id}/cancel")
    expect(queue.first).not_to_contain_text("urgent", timeout=10_000)
    page.get_by_role("button", name="read again").click()
    expect(page.locator("main")).to_contain_text("/runs/{run_id}/cancel")
    served.post(f"/runs/{patient.id}/cancel")
    box.get_by_role("link", name="held").click()
    expect(page).to_have_url(re.compile(held.id))


def test_without_admin_one_reads_a_calm_line(served: Service, context: BrowserContext) -> None:
    with writing(served.engine) as session:
        key = keys.make_key(session, "reader", ["read"])
    page = served.let_in(context, key).new_page()
    page.goto(f"{served.url}/system")
    expect(page.locator("main")).to_contain_text("shown to keys with the scope admin")
    expect(page.locator("#audit")).to_have_count(0)


@pytest.mark.slow
def test_while_the_service_is_away_what_was_read_stays_and_says_how_old_it_is(page: Page, served: Service) -> None:
    page.route("**/api/v1/system", lambda route: route.abort())
    page.goto(f"{served.url}/system")
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.unroute("**/api/v1/system")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    page.route("**/api/v1/system", lambda route: route.abort())
    old = page.get_by_role("status").filter(has_text=re.compile(r"As of \d\d:\d\d, not refreshed: .* does not answer"))
    expect(old).to_be_visible(timeout=10_000)
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    page.unroute("**/api/v1/system")
    expect(old).to_have_count(0, timeout=10_000)
