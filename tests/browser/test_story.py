"""The whole story on a real service: a run is submitted by form, trained by a real worker, watched live, paused,
resumed, and compared with another."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from client.api import Client

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow]

STEPS = 120  # enough that a slow browser pauses it in time
SPEC: dict[str, Any] = {
    "method": "trapo",
    "model": {"source": "small_world", "steps": 20},
    "data": {"format": "small_world", "problems": 64, "min_ops": 1, "max_ops": 3},
    "steps": STEPS,
    "prompts_per_step": 4,
    "sampling": {"max_tokens": 20},
    "checkpoints": {"every_steps": 20},
    "resources": {"gpus": 0, "cpu_threads": 1},
}


@pytest.fixture(scope="module")
def service() -> Iterator[Client]:
    """`trapo up`: broker, api and worker."""
    with tempfile.TemporaryDirectory(prefix="trapo-story-") as folder:
        home = Path(folder)
        command = [str(Path(sys.executable).parent / "trapo"), "up", "--port", "0", "--home", folder]
        times = {"TRAPO_HEARTBEAT_S": "0.5", "TRAPO_SWEEP_S": "0.5"}
        with (home / "up.log").open("wb") as log:
            process = subprocess.Popen(command, env=os.environ | times, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while "Serving." not in (home / "up.log").read_text():
            assert process.poll() is None, (home / "up.log").read_text()
            assert time.monotonic() < deadline, (home / "up.log").read_text()
            time.sleep(0.1)
        url = json.loads((home / "service.json").read_text())["url"]
        yield Client(url, (home / "admin-key").read_text().strip())
        process.terminate()
        process.wait(60)


def field(page: Page, pointer: str) -> Locator:
    return page.locator(f'[id="field:{pointer}"]')


def chip(page: Page, state: str) -> Locator:
    return page.locator("main .chip").filter(has_text=re.compile(f"^{state}$")).first


def step_of(page: Page) -> int:
    """As the run's progress says."""
    found = re.search(r"step (\d+) of", page.locator("main .progress-text").first.inner_text())
    return int(found.group(1)) if found else 0


def reach(page: Page, step: int) -> None:
    deadline = time.monotonic() + 60
    while step_of(page) < step:
        assert time.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(100)


@pytest.mark.timeout(180)
def test_from_the_form_to_the_comparison(service: Client, context: BrowserContext) -> None:
    page = context.new_page()
    link = service.login_link().url
    page.goto(link)
    expect(page.get_by_role("heading", name="No run yet")).to_be_visible()
    url = link.split("/login")[0]

    # A method, and the rest as JSON; one field by hand.
    page.goto(f"{url}/new?method=trapo")
    page.locator("summary", has_text="As text").click()
    page.get_by_label("fill the form from JSON").fill(json.dumps(SPEC))
    page.get_by_role("button", name="Fill the form").click()
    field(page, "/name").fill("the story")
    expect(page.get_by_role("region", name="Plan").get_by_role("status")).to_have_text("valid")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url(re.compile(r"/runs/run_\w+"))
    first = page.url.split("/runs/")[1].split("?")[0]
    expect(page.get_by_role("heading", name="the story")).to_be_visible()

    # It trains, and the curves grow without a reload.
    reach(page, 3)
    reward = page.get_by_role("figure", name="Reward", exact=True)
    expect(reward.locator("canvas").first).to_be_visible()
    seen = step_of(page)
    reach(page, seen + 3)
    expect(chip(page, "running")).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    expect(chip(page, "paused")).to_be_visible(timeout=30_000)
    paused_at = step_of(page)
    assert 0 < paused_at < STEPS
    page.get_by_role("button", name="Resume").click()
    expect(chip(page, "succeeded")).to_be_visible(timeout=60_000)
    assert step_of(page) in (0, STEPS)

    # Another with one change, and the two beside each other.
    page.goto(f"{url}/new?clone={first}")
    field(page, "/name").fill("the other")
    field(page, "/steps").fill("4")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url(lambda at: "/runs/" in at and first not in at)
    reach(page, 2)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Runs").click()
    expect(page.get_by_role("link", name="the story")).to_be_visible()
    page.get_by_role("link", name="the other").click()
    page.get_by_role("link", name="Compare…").click()
    page.get_by_label("Add a run").fill("the story")
    expect(page.locator(f"#other-runs option[value={first}]")).to_be_attached()
    page.get_by_label("Add a run").fill(first)
    page.wait_for_url(f"**run={first}*")
    expect(page.get_by_role("figure", name="Unguided reward", exact=True)).to_contain_text("the story")
    context.close()
