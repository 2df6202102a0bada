"""The page of all runs in a real browser: found, sorted, changed, and ten thousand of them."""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from sqlalchemy import delete, insert, select

from runs.db import reading, writing
from runs.tables import RunRow

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell, Budget = Callable[..., Story], Callable[..., None]

MANY = 10_000
# When the first row stood there, and all long tasks, noted from before the page's own code.
WATCH = """window.tasks = [];
new PerformanceObserver(list => {
  for (const {startTime, duration} of list.getEntries()) tasks.push([startTime, duration]);
}).observe({type: 'longtask', buffered: true});
new MutationObserver((_, observer) => {
  if (!document.querySelector('.run-link')) return;
  window.firstRow = performance.now();
  observer.disconnect();
}).observe(document, {childList: true, subtree: true});"""
LONGEST = "since => Math.max(0, ...tasks.filter(([start]) => start > since).map(([, duration]) => duration))"


def filter_box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Filter runs")


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row", name=name)


def relabel(served: Service, run_id: str, **values: Any) -> None:
    url = f"{served.url}/api/v1/runs/{run_id}"
    httpx.patch(url, json=values, headers={"Authorization": f"Bearer {served.key}"}).raise_for_status()


@pytest.fixture(scope="module")
def three(served: Service, tell: Tell) -> dict[str, Story]:
    """One that trains, one that waits, one that has failed; all with one tag."""
    told = {
        "alpha": tell(name="alpha learns", steps=20).start().step(8, reward=0.7).score(0.4),
        "beta": tell(name="beta waits", method="grpo"),
        "gamma": tell(name="gamma fell").start().step(2, reward=0.2),
    }
    told["gamma"].end("nan_loss", "loss was not a number at step 3")
    for story in told.values():
        relabel(served, story.id, tags=["three"])
    return told


def test_the_filter_is_written_with_help_and_kept_in_the_url(page: Page, served: Service, three: Any) -> None:
    page.goto(served.url)
    box = filter_box(page)
    box.press_sequentially("tag:three sta")
    option = page.get_by_role("option", name=re.compile("^status:"))
    expect(option.first).to_be_visible()
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("tag:three status:")
    box.press_sequentially("fa")
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", re.compile(".+"))
    box.press("Enter")
    expect(box).to_have_value("tag:three status:failed ")
    expect(row(page, "gamma fell")).to_be_visible()
    expect(row(page, "alpha learns")).to_be_hidden()
    page.wait_for_url("**/?q=tag%3Athree+status%3Afailed")
    page.reload()
    expect(row(page, "gamma fell")).to_be_visible()
    expect(row(page, "alpha learns")).to_be_hidden()
    page.get_by_role("button", name="Clear the filter").click()
    expect(row(page, "alpha learns")).to_be_visible()


def test_a_slip_is_named_and_mended(page: Page, served: Service, three: Any) -> None:
    page.goto(served.url)
    box = filter_box(page)
    box.fill("tag:three stauts:failed")
    box.press("Enter")
    expect(page.locator("mark")).to_have_text("stauts:failed")
    expect(page.get_by_text("Did you mean “status:”?")).to_be_visible()
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(row(page, "alpha learns")).to_be_visible()  # the list stays as it was
    page.get_by_role("button", name="write status:failed").click()
    expect(box).to_have_value("tag:three status:failed")
    expect(row(page, "alpha learns")).to_be_hidden()


def test_nothing_matches_is_not_the_first_page(page: Page, served: Service, three: Any) -> None:
    page.goto(f"{served.url}/?q=tag:three+reward%3E0.99")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Show all runs").click()
    expect(row(page, "alpha learns")).to_be_visible()


def test_columns_sort_by_the_service(page: Page, served: Service, three: Any) -> None:
    page.goto(f"{served.url}/?q=tag:three")
    page.get_by_role("button", name="Unguided reward").click()
    expect(page.get_by_role("columnheader", name="Unguided reward")).to_have_attribute("aria-sort", "descending")
    links = page.locator(".run-link")
    expect(links).to_have_text(["alpha learns", "gamma fell", "beta waits"])
    assert "sort=-reward" in page.url
    page.get_by_role("button", name="Unguided reward").click()
    expect(links).to_have_text(["gamma fell", "alpha learns", "beta waits"])
    page.get_by_label("Sort by").select_option("name, Z to A")
    expect(links).to_have_text(["gamma fell", "beta waits", "alpha learns"])


def test_the_reason_has_its_advice(page: Page, served: Service, three: Any) -> None:
    page.goto(f"{served.url}/?q=tag:three+status:failed")
    page.get_by_role("button", name="nan loss").focus()
    expect(page.get_by_role("tooltip")).to_contain_text("Lower optimizer.lr")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()


def test_the_keyboard_moves_selects_and_opens(page: Page, served: Service, three: Any) -> None:
    page.goto(f"{served.url}/?q=tag:three&sort=name")
    expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", "4")
    row(page, "alpha learns").focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, "beta waits")).to_be_focused()
    page.keyboard.press("x")
    expect(row(page, "beta waits")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    page.keyboard.press("Shift+Space")
    expect(page.get_by_role("toolbar")).to_contain_text("2 selected")
    page.keyboard.press("Home")
    expect(row(page, "alpha learns")).to_be_focused()
    expect(row(page, "alpha learns")).to_have_attribute("aria-rowindex", "2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("alpha learns")


def test_a_run_that_no_longer_matches_stays_and_says_so(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="leaves the filter").start().step()
    page.goto(f"{served.url}/?q=leaves+status:running")
    expect(row(page, "leaves the filter")).to_be_visible()
    expect(page.locator(".connection")).to_have_text("live")
    story.end("oom_gpu")
    expect(row(page, "leaves the filter")).to_contain_text("no longer matches")
    expect(page.get_by_text("1 shown no longer matches")).to_be_visible()
    page.get_by_role("button", name="read again").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_tags_and_notes_are_edited_in_the_row(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="to be described")
    page.goto(f"{served.url}/?q=described")
    page.get_by_role("button", name="Edit tags and notes of to be described").click()
    expect(page.get_by_role("textbox", name="Tags")).to_be_focused()
    page.get_by_role("textbox", name="Tags").fill("first, -wrong")
    hurt = "<img src=x onerror=window.hurt=1> lr was too high"
    page.get_by_role("textbox", name="Notes").fill(hurt)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("“-wrong” cannot be a tag")
    page.get_by_role("textbox", name="Tags").fill("first, second")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "to be described")).to_contain_text("second")
    expect(row(page, "to be described")).to_contain_text(hurt)
    expect(row(page, "to be described")).to_be_focused()
    assert page.evaluate("window.hurt") is None
    page.goto(f"{served.url}/runs/{story.id}")
    expect(page.locator(".run-notes")).to_have_text(hurt)


def test_two_who_write_at_once_see_each_other(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="disputed")
    page.goto(f"{served.url}/runs/{story.id}")
    page.get_by_role("button", name="add tags or notes").click()
    page.get_by_role("textbox", name="Notes").fill("mine")
    relabel(served, story.id, notes="theirs", tags=["other"])
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("here is theirs")
    expect(page.locator(".theirs dd")).to_have_text("theirs")
    expect(page.get_by_role("textbox", name="Notes")).to_have_value("mine")
    expect(page.get_by_role("textbox", name="Tags")).to_have_value("other")  # only they changed it
    page.get_by_role("button", name="Save mine").click()
    expect(page.locator(".run-notes")).to_have_text("mine")
    expect(page.locator(".run-labels .tag")).to_have_text("other")


def test_several_at_once(page: Page, served: Service, tell: Tell) -> None:
    done = [tell(name=f"bulk {i}").start().step().end() for i in range(2)]
    tell(name="bulk 2").start().step()
    waiting = tell(name="bulk 3")
    page.goto(f"{served.url}/?q=bulk&sort=name")
    expect(page.locator(".run-link")).to_have_count(4)
    page.get_by_label("Select bulk 0").click()
    page.get_by_label("Select bulk 3").click(modifiers=["Shift"])
    expect(page.get_by_label("Select bulk 1")).to_be_checked()
    expect(page.get_by_label("Select bulk 3")).to_be_checked()
    bar = page.get_by_role("toolbar", name="Selected runs")
    expect(bar).to_contain_text("4 selected")
    compare = bar.get_by_role("link", name="Compare").get_attribute("href")
    assert compare is not None
    assert compare.startswith("/compare?run=run_")
    assert compare.count("run=") == 4
    bar.get_by_role("button", name="Add tag…").click()
    page.get_by_label("Tag", exact=True).fill("heap")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("4 tagged.")).to_be_visible()
    expect(page.locator(".run-row .tag", has_text="heap")).to_have_count(4)
    bar.get_by_role("button", name="Archive", exact=True).click()
    expect(page.locator(".outcome")).to_contain_text("2 archived, 2 could not: bulk 2")
    expect(page.locator(".run-link")).to_have_text(["bulk 2", "bulk 3"])
    bar.get_by_role("button", name="clear").click()
    page.get_by_label("Select all runs that have been read").click()
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel 2 runs?")
    page.get_by_role("button", name="Cancel 2").click()
    expect(row(page, "bulk 3")).to_contain_text("cancelled")
    expect(row(page, "bulk 2")).to_contain_text("cancelling")
    bar.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text("None of these can be cancelled")
    page.keyboard.press("Escape")
    page.goto(f"{served.url}/?q=bulk+is:archived")
    expect(page.locator(".run-link")).to_have_count(len(done))
    page.goto(f"{served.url}/runs/{waiting.id}")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".run-head .chip")).to_have_text("queued")


def test_delete_asks_and_can_be_taken_back(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="to be deleted").start().step().end()
    page.goto(f"{served.url}/runs/{story.id}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the run").click()
    expect(page.locator(".run-head .chip").nth(1)).to_have_text("deleted")
    page.get_by_role("button", name="Undelete").click()
    expect(page.locator(".run-head .chip")).to_have_count(1)
    page.get_by_role("button", name="Clone").click()
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".run-head .chip")).to_have_text("queued")
    assert story.id not in page.url


def test_without_the_service_the_list_stays(page: Page, served: Service, context: BrowserContext, three: Any) -> None:
    page.goto(f"{served.url}/?q=tag:three")
    expect(row(page, "alpha learns")).to_be_visible()
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_label("Select alpha learns").click()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.locator(".outcome")).to_contain_text(
        "0 archived, 1 could not: alpha learns (The service does not answer"
    )
    expect(row(page, "alpha learns")).to_be_visible()


@pytest.mark.parametrize("width", [375, 768])
def test_narrow_screens_show_cards(page: Page, served: Service, three: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{served.url}/?q=tag:three")
    expect(row(page, "alpha learns")).to_be_visible()
    page.get_by_label("Select alpha learns").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture
def many(served: Service) -> Iterator[list[str]]:
    """Ten thousand runs that nobody trained, newest last; they go again after the test."""
    dice = random.Random(3)
    with reading(served.engine) as session:
        like = session.scalars(select(RunRow).limit(1)).one()
    columns = [column.key for column in RunRow.__mapper__.column_attrs]
    base = {key: getattr(like, key) for key in columns}
    rows = [
        base
        | {
            "id": f"run_00{i:024d}", "name": f"many {i:05d}", "tags": ["many"], "state": "succeeded", "step": 40,
            "reason": None, "message": "", "desired": "run", "archived_at": None, "deleted_at": None, "progress": None,
            "summary": {"reward_unguided": 0.5, "guided_share": 0.3, "score": None,
                        "sparkline": [round(dice.random(), 3) for _ in range(40)]},
        }
        for i in range(MANY)
    ]  # fmt: skip
    with writing(served.engine) as session:
        session.execute(insert(RunRow), rows)
    yield [values["id"] for values in rows]
    with writing(served.engine) as session:
        session.execute(delete(RunRow).where(RunRow.id.like("run_00%")))


@pytest.mark.slow
def test_ten_thousand_runs(page: Page, served: Service, three: Any, many: list[str], budget: Budget) -> None:
    page.add_init_script(WATCH)
    page.goto(f"{served.url}/?q=tag:many")
    first = page.locator(".run-link").first
    expect(first).to_have_text("many 09999")
    shown_ms = page.evaluate("firstRow")
    expect(page.locator(".runs-title")).to_contain_text("10,000 runs match")
    expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", str(MANY + 1))
    since = page.evaluate("performance.now()")
    elements: list[int] = []
    for _ in range(40):
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(30)
        elements.append(page.evaluate("document.querySelectorAll('*').length"))
    scrolling_ms = page.evaluate(LONGEST, since)
    page.locator("[role=row][tabindex='0']").focus()
    page.keyboard.press("End")
    last = page.get_by_role("row", name="many 00000")
    expect(last).to_be_visible(timeout=60_000)
    expect(last).to_be_focused()
    expect(last).to_have_attribute("aria-rowindex", str(MANY + 1))
    end_ms = page.evaluate(LONGEST, since)
    budget("10,000 runs, first rows from a cold start", shown_ms, unit="ms", most=1000)
    budget("the same, longest task while scrolling", scrolling_ms, unit="ms", most=200)
    budget("the same, longest task on the way to the end", end_ms, unit="ms", most=200)
    budget("the same, elements at most", max(elements), unit="", most=2499)
    # There and back again: nothing is read anew, and one is where one was.
    place = page.evaluate("scrollY")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("many 00000")
    page.go_back()
    expect(last).to_be_visible()
    assert abs(page.evaluate("scrollY") - place) < 100


def test_times_go_on_though_nothing_happens(page: Page, served: Service, three: Any) -> None:
    page.clock.install()
    page.goto(f"{served.url}/?q=tag:three")
    created = row(page, "gamma fell").locator(".created")
    before = int(re.sub(r"\D", "", created.inner_text()) or 0)
    page.clock.run_for(91_000)
    expect(created).to_have_text(re.compile(rf"({before + 1}|{before + 2}) min ago"))
