"""Pictures for the documentation, taken from a service that is already running, such as the demo's.

    TRAPO_BROWSER_URL=http://127.0.0.1:8000/runs/run_… TRAPO_LOGIN_URL=http://127.0.0.1:8000/login#token=… \\
        pytest tests/browser/test_screenshots.py

TRAPO_BROWSER_URL is the page of a run, or just the service: then the newest run with guidance is taken. The
login link works once.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from runs.settings import REPOSITORY

pytestmark = pytest.mark.browser

# Read at import: the suite takes TRAPO_ variables away from tests.
WHERE = os.environ.get("TRAPO_BROWSER_URL", "")
LOGIN = os.environ.get("TRAPO_LOGIN_URL", "")
FOLDER = Path(os.environ.get("TRAPO_SCREENSHOTS", REPOSITORY / "docs" / "screenshots"))
FIGURES = {"guidance": "Guidance", "rewards": "Reward", "scores": "Benchmark scores"}


@pytest.mark.skipif(not (WHERE and LOGIN), reason="set TRAPO_BROWSER_URL and TRAPO_LOGIN_URL to a running service")
def test_take_screenshots(chromium: Browser) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", device_scale_factor=2)
    page = context.new_page()
    page.goto(LOGIN)
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.wait_for_timeout(1000)
    page.set_viewport_size({"width": 1280, "height": 420})
    page.screenshot(path=FOLDER / "runs.png")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(WHERE if "/runs/" in WHERE else _newest(page))
    expect(page.get_by_role("figure").first).to_be_visible()
    page.wait_for_timeout(1500)
    page.screenshot(path=FOLDER / "run.png")
    for name, title in FIGURES.items():
        part = page.locator(title) if title.startswith(".") else page.get_by_role("figure", name=title, exact=True)
        part.screenshot(path=FOLDER / f"{name}.png")
    context.close()


def _newest(page: Page) -> str:
    """The newest run with guidance: what the demo is about."""
    runs = page.evaluate("fetch('/api/v1/runs?kind=train').then(answer => answer.json())")["data"]
    trained = [run for run in runs if run["step"] > 0]
    guided = [run for run in trained if run["summary"]["guided_share"] or run["method"] == "trapo"]
    chosen = (guided or trained)[0]
    return f"{WHERE.rstrip('/')}/runs/{chosen['id']}"
