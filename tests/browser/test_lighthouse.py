"""Lighthouse's scores of the pages, by `make lighthouse`: other runs leave this out."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Budget = Callable[..., None]

# Read at import: the suite takes TRAPO_ variables away from tests.
LIGHTHOUSE = os.environ.get("TRAPO_LIGHTHOUSE", "")
CHROMIUM = os.environ.get("TRAPO_CHROMIUM") or shutil.which("chromium")  # else Lighthouse looks for one
NEEDED = 95
CATEGORIES = ("performance", "accessibility")
MEASURED = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")


@pytest.mark.skipif(not LIGHTHOUSE, reason="set TRAPO_LIGHTHOUSE to its command; make lighthouse does")
def test_lighthouse_is_content(served: Service, whole: Story, tmp_path: Path, place: str, budget: Budget) -> None:
    session = httpx.post(f"{served.url}/api/v1/sessions", json={"api_key": served.key}, timeout=60).raise_for_status()
    cookie = "; ".join(f"{one.name}={one.value}" for one in session.cookies.jar)
    found = tmp_path / "report.json"
    asked = [
        LIGHTHOUSE, served.url + place.format(run=whole.id), "--preset=desktop", "--quiet", "--output=json",
        f"--output-path={found}", f"--only-categories={','.join(CATEGORIES)}", "--max-wait-for-load=20000",
        "--chrome-flags=--headless=new --no-sandbox --disable-gpu", f"--extra-headers={json.dumps({'Cookie': cookie})}",
    ]  # fmt: skip
    env = os.environ | ({"CHROME_PATH": CHROMIUM} if CHROMIUM else {})
    best = dict.fromkeys(CATEGORIES, 0)
    said = ""
    for _ in range(3):  # the best of three: other work on the machine is not what is measured
        subprocess.run(asked, check=True, env=env, timeout=150, capture_output=True)
        report = json.loads(found.read_text())
        scores = {name: round(100 * report["categories"][name]["score"]) for name in CATEGORIES}
        if sum(scores.values()) > sum(best.values()):
            best = scores
            said = ", ".join(f"{name} {report['audits'][name]['displayValue']}" for name in MEASURED)
        if min(best.values()) >= NEEDED:
            break
    for name, score in best.items():
        counted = {ref["id"] for ref in report["categories"][name]["auditRefs"] if ref["weight"]}
        scored = {one: report["audits"][one]["score"] for one in counted}
        short = sorted(one for one, part in scored.items() if part is not None and part < 0.9)
        budget(f"{place}, {name} ({said}; held back by {short})", score, unit="points", least=NEEDED)
