"""Can everybody use it: axe on every page in both themes, charts by keyboard, motion, focus, and the way past the head.

A page of its own is a line in `PLACES` of conftest.py."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from runs.settings import REPOSITORY

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]

AXE = REPOSITORY / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """() => axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
  // Not in the tags, but as good as: order of headings, landmarks, and the size of what one clicks.
  rules: Object.fromEntries(["target-size", "heading-order", "page-has-heading-one", "landmark-one-main", "region",
    "empty-table-header", "skip-link", "scope-attr-valid"].map(name => [name, {enabled: true}])),
}).then(found => found.violations.flatMap(({id, nodes}) =>
  nodes.map(({target, any, all}) => `${id}: ${target} ${[...any, ...all].map(({message}) => message).join("; ")}`)))"""

THEMES = ("light", "dark")


def settled(page: Page) -> None:
    """What the page reads has come, also what it reads when one comes there."""
    expect(page.locator("main#main")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    for figure in page.get_by_role("figure").all():
        figure.scroll_into_view_if_needed()
    expect(page.locator("main").get_by_text(re.compile("^(Reading|Loading)"))).to_have_count(0, timeout=15_000)
    page.wait_for_timeout(300)


def broken_rules(page: Page) -> list[str]:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in frontend/")
    page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(RUN_AXE)
    return found


def axe_is_content(page: Page) -> None:
    """In both themes; what is off the screen is brought there first, for that is when it is drawn."""
    found: list[str] = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for figure in page.get_by_role("figure").all():
            figure.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        found += [f"{theme}: {slip}" for slip in broken_rules(page)]
    assert not found, "\n".join(found)


def test_axe_finds_nothing(page: Page, served: Service, whole: Story, place: str) -> None:
    page.goto(served.url + place.format(run=whole.id))
    settled(page)
    axe_is_content(page)


@pytest.mark.slow
def test_axe_finds_nothing_in_opened_parts(page: Page, served: Service, whole: Story) -> None:
    """What is only there after a click: tables, meanings, forms, dialogs, completions."""
    page.goto(f"{served.url}/runs/{whole.id}")
    settled(page)
    for figure in page.get_by_role("figure").all():
        figure.scroll_into_view_if_needed()
        figure.get_by_text("What is this?").click()
        figure.get_by_role("button", name="table").click()
    page.get_by_role("button", name=re.compile("edit name|add tags")).click()
    axe_is_content(page)
    page.get_by_role("button", name="Cancel", exact=True).first.click()
    page.goto(f"{served.url}/")
    page.get_by_label(re.compile("[Ff]ilter")).first.fill("state:")
    expect(page.get_by_role("option").first).to_be_visible()
    axe_is_content(page)
    page.goto(f"{served.url}/")
    settled(page)
    page.get_by_role("row", name="all there is").get_by_role("checkbox").first.check()
    axe_is_content(page)


def test_axe_finds_nothing_in_a_sweep_and_a_priority(page: Page, served: Service, tell: Tell) -> None:
    page.goto(f"{served.url}/new?method=trapo")
    page.locator("summary", has_text="Sweep").click()
    page.get_by_role("button", name="Add a field").click()
    page.get_by_role("group", name="Field 1 of the sweep").get_by_label("field").fill("seed")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_text("Seeds have a field of their own.").last).to_be_visible()
    axe_is_content(page)
    page.goto(f"{served.url}/runs/{tell(name='it waits').id}")
    page.get_by_role("button", name="change the priority").click()
    expect(page.get_by_role("form", name="Priority").get_by_role("textbox")).to_have_value("0")
    axe_is_content(page)


def empty(page: Page, served: Service, tell: Tell) -> None:
    page.goto(f"{served.url}/runs/{tell(name='not begun').id}")


def empty_guidance(page: Page, served: Service, tell: Tell) -> None:
    page.goto(f"{served.url}/runs/{tell(name='not begun').id}/guidance")


def empty_rollouts(page: Page, served: Service, tell: Tell) -> None:
    page.goto(f"{served.url}/runs/{tell(name='not begun').id}/rollouts")


def nothing_found(page: Page, served: Service, tell: Tell) -> None:
    page.goto(f"{served.url}/?q=nothing-has-this-name")


def failed(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="failed").start().step(2).end("exit_nonzero", "CUDA is out of memory.")
    page.goto(f"{served.url}/runs/{story.id}")


def no_such_run(page: Page, served: Service, tell: Tell) -> None:
    page.goto(f"{served.url}/runs/run_00000000000000000000000000")


def offline(page: Page, served: Service, tell: Tell) -> None:
    page.route("**/api/v1/**", lambda route: route.abort())
    page.goto(served.url)
    expect(page.get_by_role("alert")).to_be_visible()


def broken_pictures(page: Page, served: Service, tell: Tell) -> None:
    page.route(
        re.compile("/api/v1/.*(guidance|trust-region|problems|series)"),
        lambda route: route.fulfill(status=500, body="{}"),
    )
    page.goto(f"{served.url}/runs/{tell(name='begun').start().step(3).id}/guidance")


STATES = (
    empty, empty_guidance, empty_rollouts, nothing_found, failed, no_such_run, offline, broken_pictures,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing_in_states(
    page: Page, served: Service, tell: Tell, state: Callable[[Page, Service, Tell], None]
) -> None:
    state(page, served, tell)
    settled(page)
    axe_is_content(page)


def test_axe_finds_nothing_at_the_login(served: Service, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{served.url}/login")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    axe_is_content(page)
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    axe_is_content(page)


def panel(page: Page, title: str) -> Locator:
    found = page.get_by_role("figure", name=title, exact=True)
    found.scroll_into_view_if_needed()
    return found


def test_one_cursor_moves_through_all_pictures(page: Page, served: Service, whole: Story) -> None:
    page.set_viewport_size({"width": 1280, "height": 2200})
    page.goto(f"{served.url}/runs/{whole.id}")
    entropy = panel(page, "Entropy").get_by_role("application").last
    for title in ("Entropy", "Reward", "Gradient norm", "Completion length", "Guidance"):
        expect(panel(page, title).locator("canvas").first).to_be_visible()
    entropy.focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    for title in ("Entropy", "Reward", "Gradient norm", "Completion length"):
        expect(panel(page, title).locator("[aria-live=polite]")).to_contain_text("Step 5: ")
    expect(panel(page, "Guidance").locator("[aria-live=polite]")).to_contain_text("tep 5")
    entropy.focus()
    page.keyboard.press("Escape")
    expect(panel(page, "Reward").locator("[aria-live=polite]")).to_contain_text("use the arrow keys")


def test_the_numbers_of_a_picture_are_a_table(page: Page, served: Service, whole: Story) -> None:
    page.goto(f"{served.url}/runs/{whole.id}")
    entropy = panel(page, "Entropy")
    button = entropy.get_by_role("button", name="table")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(entropy.get_by_role("columnheader").first).to_have_text("step")
    assert entropy.get_by_role("row").count() == 25
    described = entropy.get_attribute("aria-details")
    assert page.locator(f'[id="{described}"]').get_by_role("table").count() == 1


@pytest.mark.slow
def test_the_way_past_the_head(page: Page, served: Service, whole: Story, place: str) -> None:
    page.goto(served.url + place.format(run=whole.id))
    settled(page)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the page")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main#main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)") or page.evaluate(
        "document.querySelectorAll('main a[href], main button, main [tabindex]').length"
    ) == 0  # fmt: skip


FOCUS_SHOWN = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [`${at.tagName}.${at.className} ${(at.textContent || at.ariaLabel || "").slice(0, 40)}`, seen,
          at === document.body || at === document.documentElement];
}"""


@pytest.mark.slow
def test_focus_is_always_seen(page: Page, served: Service, whole: Story, place: str) -> None:
    page.goto(served.url + place.format(run=whole.id))
    settled(page)
    unseen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        what, seen, out = page.evaluate(FOCUS_SHOWN)
        if out:
            break
        if not seen:
            unseen.append(what)
    assert unseen == []


def test_nothing_moves_for_those_who_do_not_want_it(
    chromium: Browser, served: Service, whole: Story, place: str
) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    page = served.let_in(context).new_page()
    page.goto(served.url + place.format(run=whole.id))
    moving = page.evaluate("""() => {
      const skeleton = document.body.appendChild(document.createElement("div"));
      skeleton.className = "skeleton";
      skeleton.appendChild(document.createElement("div"));
      return document.getAnimations().filter(({playState}) => playState === "running").length;
    }""")
    assert moving == 0
    context.close()
