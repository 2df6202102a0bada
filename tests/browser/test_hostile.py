"""Text of others is only ever text: the same corpus through every place where a model, a log, a person or another
service can write, on every page. Nothing runs, nothing is asked elsewhere, and what was written is what is read."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Dialog, Page, expect
from sqlalchemy import update

from runs.db import writing
from runs.tables import RunRow

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]

CORPUS = {
    "script": "<script>window.hurt = 1</script>",
    "img": "<img src=//evil.test/x onerror=alert(1)>",
    "svg": "'\"></title></textarea><svg/onload=alert(1)>",
    "link": "[go](javascript:alert(1)) <a href=javascript:alert(1)>go</a>",
    "style": "</style><style>@import '//evil.test/x.css';*{display:none}</style>",
    "frame": "<iframe srcdoc='<script>parent.hurt=1</script>'></iframe>",
    "template": "{{constructor.constructor('alert(1)')()}} ${alert(1)} &lt;b&gt;",
    "direction": "\u202etxt.exe\u2066 \u200f<b onmouseover=alert(1)>",
}
ALL = " ".join(CORPUS.values())
# Where the words of the corpus must be seen, as they are. Other pages show them cut short, or not at all.
SEEN = {
    "/runs/{run}/logs": list(CORPUS.values())[:-1],
    "/runs/{run}/events": list(CORPUS.values())[:-1],
    "/runs/{run}/spec": ["<img src=//evil.test/x onerror=alert(1)>"],
    "/runs/{run}/rollouts?step=2&rollout=2-0": list(CORPUS.values())[:-1],
    "/runs/{run}/guidance": ["<script>window.hurt = 1</script>"],
}
INNER = """() => [
  window.hurt ?? null,
  [...document.querySelectorAll("#app script, #app iframe, #app style, #app b[onmouseover], [onerror], [onload]")]
    .map(one => one.outerHTML.slice(0, 80)),
  [...document.querySelectorAll("#app a[href]")].map(a => a.protocol).filter(name => !name.startsWith("http")),
  [...document.querySelectorAll("#app img")].map(img => img.src).filter(src => !src.endsWith("/favicon.svg")),
]"""


@pytest.fixture(scope="module")
def hostile(served: Service, tell: Tell) -> Story:
    story = tell(name=CORPUS["img"][:120]).whole(ALL)
    story.end("exit_nonzero", ALL)
    with writing(served.engine) as session:
        row = session.get(RunRow, story.id)
        assert row is not None
        spec = json.loads(json.dumps(row.spec))
        spec["model"] = {"source": "folder", "path": ALL}
        session.execute(update(RunRow).where(RunRow.id == story.id).values(spec=spec))
    hook = {"url": "http://127.0.0.1:9/hook?<script>window.hurt=1</script>", "events": ["run_state"]}
    httpx.post(f"{served.url}/api/v1/webhooks", json=hook, headers={"Authorization": f"Bearer {served.key}"})
    return story


NAMELESS = ("/no/such/page", "/system", "/new", "/new?method=trapo")  # they name no run that has ended


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_nothing_of_others_comes_alive(page: Page, served: Service, hostile: Story, place: str) -> None:
    dialogs: list[str] = []
    elsewhere: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    page.on("request", lambda request: elsewhere.append(request.url) if not is_ours(request.url, served) else None)
    page.goto(served.url + place.format(run=hostile.id))
    expect(page.locator("main#main h1").first).to_be_visible()
    for part in page.get_by_role("figure").all():
        part.scroll_into_view_if_needed()
    for word in SEEN.get(place, []):
        expect(page.locator("main")).to_contain_text(plain(word))
    if place not in NAMELESS:
        expect(page.locator("main")).to_contain_text(CORPUS["img"])  # the run's name
    page.wait_for_timeout(300)
    assert page.evaluate(INNER) == [None, [], [], []]
    assert dialogs == []
    assert elsewhere == []


def is_ours(url: str, served: Service) -> bool:
    return url.startswith((served.url, "blob:", "data:"))
