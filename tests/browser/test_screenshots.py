"""Pictures of every page for the documentation, in both themes, of a service that runs already, such as the demo's.

    TRAPO_BROWSER_URL=http://127.0.0.1:8000/runs/run_… TRAPO_LOGIN_URL=http://127.0.0.1:8000/login#token=… \\
        pytest tests/browser/test_screenshots.py

TRAPO_BROWSER_URL is the page of a run, or just the service: then the newest run with guidance is taken. The login link
works once. What is written is `PAGE-THEME.png` by the names of `PLACES` in conftest.py, and of long pages also
`PAGE-whole-THEME.png`.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from runs.settings import REPOSITORY

pytestmark = pytest.mark.browser

# Read at import: the suite takes TRAPO_ variables away from tests.
WHERE = os.environ.get("TRAPO_BROWSER_URL", "")
LOGIN = os.environ.get("TRAPO_LOGIN_URL", "")
FOLDER = Path(os.environ.get("TRAPO_SCREENSHOTS", REPOSITORY / "docs" / "screenshots"))
SIZE = {"width": 1280, "height": 900}
WHOLE = {"run-overview", "run-guidance", "compare", "new-method"}  # pages of many pictures, from top to bottom
SHRINK = (("oxipng", "-q", "-o", "4", "--strip", "safe"), ("pngquant", "--ext=.png", "--force", "--skip-if-larger"))


@pytest.mark.skipif(not (WHERE and LOGIN), reason="set TRAPO_BROWSER_URL and TRAPO_LOGIN_URL to a running service")
def test_take_screenshots(chromium: Browser, places: dict[str, str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(viewport=SIZE, device_scale_factor=1.5, reduced_motion="reduce")
    page = context.new_page()
    page.goto(LOGIN)
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    service = WHERE.split("/runs/")[0].rstrip("/")
    run, beside = _runs(page)
    shown = places | {"run-rollouts": f"/runs/{{run}}/rollouts?{_guided(page, run)}"}
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for name, path in shown.items():
            others = f"&run={beside}" if name == "compare" and beside else ""
            address = service + path.format(run=run) + others
            _take(page, address, f"{name}-{theme}")
            if name in WHOLE:
                _take(page, address, f"{name}-whole-{theme}", whole=True)
        _take(_stranger(context, theme), f"{service}/login", f"login-{theme}")
    context.close()
    for shrink in filter(lambda command: shutil.which(command[0]), SHRINK):
        subprocess.run([*shrink, *map(str, FOLDER.glob("*.png"))], check=False)


def _take(page: Page, url: str, name: str, whole: bool = False) -> None:
    page.goto(url)
    expect(page.locator("main h1").first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    for figure in page.get_by_role("figure").all():  # a picture is read when one comes there
        figure.scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, 0)")
    if whole:
        page.set_viewport_size({**SIZE, "height": page.evaluate("document.documentElement.scrollHeight")})
    expect(page.locator("main").get_by_text(re.compile("^(Reading|Loading)"))).to_have_count(0, timeout=30_000)
    page.wait_for_timeout(1000)
    page.screenshot(path=FOLDER / f"{name}.png")
    page.set_viewport_size(SIZE)


def _stranger(context: BrowserContext, theme: str) -> Page:
    """Someone without a session, as the login page sees them."""
    assert context.browser is not None
    other = context.browser.new_context(viewport=SIZE, device_scale_factor=1.5)
    page = other.new_page()
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    return page


def _guided(page: Page, run: str) -> str:
    """The query of a sample that began with a part of the expert's trace, if the run has one; else of the first."""
    asked = f"fetch('/api/v1/runs/{run}/rollouts?guided=true&limit=1').then(answer => answer.json())"
    found = page.evaluate(asked)["data"]
    return f"step={found[0]['step']}&rollout={found[0]['id']}" if found else "step=1"


def _runs(page: Page) -> tuple[str, str | None]:
    """The run that is asked for, or the newest with guidance; and the newest one without."""
    runs = page.evaluate("fetch('/api/v1/runs?kind=train').then(answer => answer.json())")["data"]
    trained = [run for run in runs if run["step"] > 0]
    guided = [run for run in trained if run["summary"]["guided_share"] or run["method"] == "trapo"]
    asked = re.search(r"/runs/(run_\w+)", WHERE)
    chosen = asked[1] if asked else (guided or trained)[0]["id"]
    others = [run["id"] for run in trained if run not in guided and run["id"] != chosen]
    return chosen, others[0] if others else None
