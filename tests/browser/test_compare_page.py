"""Runs side by side in a real browser, and 20 long ones against the clock."""

import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import insert, literal, select, update
from sqlalchemy.orm import Session

from runs.db import writing
from runs.record.rollups import history, roll_up
from runs.tables import PointRow, RollupRow, RunRow, SegmentRow, SeriesRow
from trapo_core.events import BenchmarkOutcomes, BenchmarkScore
from trapo_core.stats import cluster_bootstrap, mean

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell, Budget = Callable[..., Story], Callable[..., None]

LONG, MANY = 100_000, 20
KEY = "reward/unguided"
SETTING = {"samples": 4, "temperature": 1.0, "max_tokens": 3000, "template": "raw", "checker": "1"}


def evaluated(story: Story, skill: float, **setting: Any) -> Story:
    """With outcomes, so that scores compare in pairs. The same problems are hard for every run."""
    dice, luck = random.Random(3), random.Random(story.id)
    hard = [dice.random() for _ in range(200)]
    answers = [[float(luck.random() < min(1, max(0, skill + 0.4 - 0.8 * h))) for _ in range(4)] for h in hard]
    low, high = cluster_bootstrap(answers, statistic=mean)
    story.tell(
        BenchmarkOutcomes(
            step=story.at, benchmark="chains", setting=SETTING | setting, problems="p1", samples=4,
            right=[int(sum(one)) for one in answers],
        ),
        BenchmarkScore(
            step=story.at, benchmark="chains", metric="avg@4", score=mean([mean(one) for one in answers]),
            low=low, high=high, confidence=0.95, interval="cluster_bootstrap", problems=200, samples=4,
        ),
    )  # fmt: skip
    return story


@pytest.fixture(scope="module")
def pair(tell: Tell) -> list[Story]:
    strong = evaluated(tell(name="strong").start().step(30), 0.8)
    plain = evaluated(tell(name="plain", method="grpo").start().step(30), 0.4)
    return [strong, plain]


@pytest.fixture(scope="module")
def seeds(served: Service, tell: Tell) -> list[Story]:
    """Three runs of one spec; the database is told that their seeds differ."""
    stories = [tell(name=f"chains, seed {seed}").start() for seed in range(3)]
    for seed, story in enumerate(stories):
        with writing(served.engine) as session:
            row = session.get(RunRow, story.id)
            row.spec = {**row.spec, "seed": seed, "name": story.id}
        for step in range(1, 11):
            story.step(reward=0.1 * seed + step / 50)
    return stories


@pytest.fixture(scope="module")
def long_runs(served: Service, tell: Tell) -> list[str]:
    """Runs of many steps: one is written point by point, the others are copies of its rows a little higher."""
    ids = [tell(name=f"long {n}", steps=LONG).id for n in range(MANY)]
    with writing(served.engine) as session:
        first = series(session, ids[0])
        dice, value = random.Random(1), 0.0
        rows = []
        for step in range(1, LONG + 1):
            value += 0.001 * (0.7 * step / LONG - value) + dice.gauss(0, 0.002)
            row = {"series_id": first, "step": step, "segment": 1, "flag": 0}
            rows.append(row | {"value": value + dice.gauss(0, 0.05)})
        session.execute(insert(PointRow), rows)
        roll_up(session, history(session, ids[0]), 0)
    for n, run_id in enumerate(ids[1:], 1):
        with writing(served.engine) as session:
            copy(session, first, series(session, run_id), n / 50)
    return ids


def series(session: Session, run_id: str) -> int:
    session.execute(update(RunRow).where(RunRow.id == run_id).values(step=LONG, state="succeeded"))
    session.merge(SegmentRow(run_id=run_id, segment=1, first_step=1, last_step=None))
    made = SeriesRow(run_id=run_id, key=KEY)
    session.add(made)
    session.flush()
    return made.id


def copy(session: Session, source: int, target: int, shift: float) -> None:
    for table in (PointRow.__table__, RollupRow.__table__):
        moved = {"series_id": literal(target)}
        for name in ("value", "low", "high"):
            if name in table.c:
                moved[name] = table.c[name] + shift
        if "total" in table.c:
            moved["total"] = table.c.total + shift * table.c.points
        columns = [moved.get(column.name, column) for column in table.c]
        session.execute(
            insert(table).from_select([c.name for c in table.c], select(*columns).where(table.c.series_id == source))
        )


def address(served: Service, ids: list[str], more: str = "") -> str:
    return f"{served.url}/compare?" + "&".join(f"run={one}" for one in ids) + more


def figure(page: Page, title: str) -> Locator:
    found = page.get_by_role("figure", name=title, exact=True)
    found.scroll_into_view_if_needed()
    return found


def test_the_list_leads_to_a_comparison(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(served.url)
    for name in ("strong", "plain"):
        page.get_by_role("checkbox", name=re.compile(name)).check()
    page.get_by_role("toolbar").get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 runs")
    expect(page.get_by_role("list", name="Runs that are compared").get_by_role("listitem")).to_have_count(2)


def test_differences_in_the_specs_come_first(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(address(served, [one.id for one in pair]))
    table = page.get_by_role("region", name="Fields that differ")
    expect(table.get_by_role("row").nth(1)).to_contain_text(re.compile(r"method\s*trapo\s*grpo"))
    expect(page.get_by_text("follow from the method alone")).to_be_visible()
    fields = table.get_by_role("rowheader").all_inner_texts()
    assert "steps" not in fields
    assert "name" not in fields
    more = page.get_by_role("button", name=re.compile("show the .* that follow from the method"))
    if more.count():
        more.click()
    expect(table.locator("i.by-method").first).to_be_visible()
    top, below = table.bounding_box(), page.locator(".overlays").bounding_box()
    assert top is not None
    assert below is not None
    assert top["y"] < below["y"]


def test_curves_are_read_by_the_keyboard_and_taken_away(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(address(served, [one.id for one in pair]))
    reward = figure(page, "Unguided reward")
    reward.get_by_role("application").focus()
    page.keyboard.press("End")
    expect(reward.locator("[aria-live=polite]")).to_contain_text(re.compile(r"Step 30: strong 0\.\d+, plain 0\.\d+"))
    reward.get_by_role("button", name="table").click()
    expect(reward.locator("tbody tr")).to_have_count(30)
    with page.expect_download() as csv:
        reward.get_by_role("button", name="CSV").click()
    assert csv.value.path().read_text().startswith("step,strong,plain\n")


def test_runs_are_shown_and_hidden_by_the_keyboard(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(address(served, [one.id for one in pair]))
    reward = figure(page, "Unguided reward")
    stroke = reward.locator(".legend li", has_text="strong").locator("line")
    before = stroke.get_attribute("stroke")
    toggle = page.get_by_role("button", name="plain", exact=True)
    toggle.focus()
    page.keyboard.press("Enter")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    expect(reward.locator(".legend")).not_to_contain_text("plain")
    assert f"hide={pair[1].id}" in page.url
    assert stroke.get_attribute("stroke") == before
    page.keyboard.press("Enter")
    expect(reward.locator(".legend")).to_contain_text("plain")


def test_another_curve_is_added_from_the_catalogue(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(address(served, [one.id for one in pair]))
    box = page.get_by_label("Another curve")
    with page.expect_response("**/series"):
        box.focus()
    expect(page.locator("#series-keys option")).not_to_have_count(0)
    box.fill("time/step_s")
    box.press("Enter")
    expect(figure(page, "whole step")).to_be_visible()
    assert "time%2Fstep_s" in page.url
    figure(page, "whole step").get_by_role("button", name="Remove the picture").click()
    expect(page.get_by_role("figure", name="whole step")).to_have_count(0)


def test_seeds_are_a_mean_with_a_band_that_is_named(page: Page, served: Service, seeds: list[Story]) -> None:
    page.goto(address(served, [one.id for one in seeds]))
    reward = figure(page, "Unguided reward")
    expect(reward.locator(".legend")).to_contain_text("chains, 3 seeds")
    expect(page.locator(".plot-note")).to_contain_text("lowest to highest seed")
    page.get_by_label("smoothing").select_option("1")
    reward.get_by_role("application").focus()
    page.keyboard.press("End")
    said = reward.locator("[aria-live=polite]")
    expect(said).to_contain_text("Step 10: chains, 3 seeds 0.300 (0.200 to 0.400)")
    page.get_by_role("button", name="± sd").click()
    assert "band=sd" in page.url
    expect(page.locator(".plot-note")).to_contain_text("standard deviation")
    page.get_by_role("button", name="each seed").click()
    assert "seeds=each" in page.url
    expect(reward.locator(".legend li")).to_have_count(3)
    page.reload()
    expect(figure(page, "Unguided reward").locator(".legend li")).to_have_count(3)


def test_scores_are_compared_in_pairs_with_a_baseline(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(address(served, [one.id for one in pair]))
    table = page.get_by_role("region", name="Scores and differences")
    expect(table).to_contain_text("chains avg@4")
    expect(table).to_contain_text("n 200 × k 4, 95 % bootstrap over problems")
    expect(table.get_by_role("row", name=re.compile("^plain"))).to_contain_text("worse than the baseline")
    page.get_by_label("Baseline").select_option(pair[1].id)
    assert f"baseline={pair[1].id}" in page.url
    expect(table.get_by_role("row", name=re.compile("^strong"))).to_contain_text(
        re.compile(r"\+\d+\.\d \[\+\d+\.\d, \+\d+\.\d\], p < 0\.001")
    )


def test_an_archived_run_that_is_named_keeps_its_scores(
    page: Page, served: Service, pair: list[Story], tell: Tell
) -> None:
    away = evaluated(tell(name="put away", method="grpo").start().step(3), 0.2)
    with writing(served.engine) as session:
        session.get_one(RunRow, away.id).archived_at = datetime.now(UTC)
    page.goto(address(served, [pair[0].id, away.id], f"&baseline={away.id}"))
    table = page.get_by_role("region", name="Scores and differences")
    expect(table.get_by_role("row", name=re.compile("^put away"))).to_contain_text("[")
    expect(table.get_by_role("row", name=re.compile("^strong"))).to_contain_text("better than the baseline")


def test_the_zoom_is_in_the_url_until_the_axis_changes(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(address(served, [one.id for one in pair], "&zoom=5..15"))
    reward = figure(page, "Unguided reward")
    expect(reward.locator(".legend")).to_contain_text(re.compile(r"0\.\d"))
    reward.get_by_role("application").focus()
    page.keyboard.press("PageDown")
    page.wait_for_url(re.compile(r"zoom=10\.\.20$"))
    page.reload()
    expect(page.get_by_role("button", name="all steps")).to_be_visible()
    page.get_by_role("button", name="time", exact=True).click()
    expect(page.get_by_role("button", name="all steps")).to_be_hidden()
    page.wait_for_url(lambda url: "zoom" not in url and "x=time" in url)


def test_keys_count_before_a_chart_is_drawn(page: Page, served: Service, pair: list[Story]) -> None:
    """A picture is drawn when its width is known, which a browser tells when it has time."""
    page.add_init_script("window.ResizeObserver = class { observe() {} disconnect() {} }")
    page.goto(address(served, [one.id for one in pair], "&zoom=5..15"))
    reward = figure(page, "Unguided reward")
    reward.get_by_role("application").focus()
    page.keyboard.press("PageDown")
    page.wait_for_url(re.compile(r"zoom=10\.\.20$"))
    page.keyboard.press("Home")
    page.keyboard.press("+")
    page.wait_for_url(re.compile(r"zoom=1\.\."))


def test_guidance_stands_side_by_side(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(address(served, [one.id for one in pair]))
    strong = figure(page, "strong")
    strong.get_by_role("application", name="Guidance of strong").focus()
    page.keyboard.press("Home")
    expect(strong.locator("[aria-live=polite]")).to_contain_text("step 1, no prefix")
    expect(figure(page, "plain")).to_contain_text("No expert prefixes")


def test_a_running_run_grows_and_nothing_is_read_again(
    page: Page, served: Service, pair: list[Story], tell: Tell
) -> None:
    story = tell(name="growing beside", method="grpo").start().step(4)
    page.goto(address(served, [pair[0].id, story.id]))
    reward = figure(page, "Unguided reward")
    expect(reward.locator(".legend")).to_contain_text("growing beside")
    expect(page.locator(".connection")).to_have_text("live")
    reward.get_by_role("button", name="table").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "series:query" in request.url else None)
    row = reward.locator("tbody tr").nth(5)
    expect(row.locator("td").nth(2)).to_have_text("–")
    story.step(3)
    expect(row.locator("td").nth(2)).to_have_text(re.compile(r"0\.\d+"))
    assert asked == []


@pytest.mark.parametrize("more", ["", "&x=time"])
def test_a_phone_reads_it_without_scrolling_sideways(page: Page, served: Service, pair: list[Story], more: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(address(served, [one.id for one in pair], more))
    expect(page.get_by_role("region", name="Scores and differences")).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_one_run_is_a_beginning_and_none_says_how(page: Page, served: Service, pair: list[Story]) -> None:
    page.goto(f"{served.url}/runs/{pair[0].id}")
    page.get_by_role("link", name="Compare…").click()
    expect(figure(page, "Unguided reward")).to_be_visible()
    page.evaluate("document.querySelector('figure, .figure').sameElement = true")
    table = figure(page, "Unguided reward").get_by_role("button", name="table")
    table.click()
    page.get_by_label("Add a run").fill("PLAI")
    expect(page.locator("#other-runs option")).to_have_text(["plain (grpo)"])
    page.get_by_label("Add a run").fill(pair[1].id)
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 runs")
    expect(figure(page, "Unguided reward").get_by_role("table")).to_contain_text("plain")
    # What was there stays while another run is read.
    assert page.evaluate("document.querySelector('figure, .figure').sameElement")
    expect(table).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Take plain out of the comparison").click()
    expect(page.get_by_role("list", name="Runs that are compared").get_by_role("listitem")).to_have_count(1)
    page.goto(f"{served.url}/compare")
    expect(page.get_by_text("No runs chosen")).to_be_visible()
    page.goto(f"{served.url}/compare?run=run_none")
    expect(page.get_by_role("alert")).to_contain_text("run_none could not be loaded: There is no run")
    page.route(f"**/runs/{pair[0].id}", lambda route: route.abort())
    page.goto(address(served, [pair[0].id]))
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.unroute(f"**/runs/{pair[0].id}")
    page.get_by_role("button", name="Try again").click()
    expect(figure(page, "Unguided reward")).to_be_visible()


FRAMES = """async () => {
  const times = [];
  window.counting = true;
  await new Promise(done => {
    const frame = at => { times.push(at); window.counting ? requestAnimationFrame(frame) : done(); };
    requestAnimationFrame(frame);
  });
  return times;
}"""


@pytest.mark.slow
def test_20_runs_of_100_000_steps_open_and_move_at_once(
    page: Page, served: Service, long_runs: list[str], budget: Budget
) -> None:
    took = []
    reward = page.get_by_role("figure", name="Unguided reward", exact=True)
    for _ in range(3):
        page.goto(f"{served.url}/compare")
        expect(page.get_by_text("No runs chosen")).to_be_visible()
        link = address(served, long_runs, "&seeds=each").removeprefix(served.url)
        started = time.perf_counter()
        page.evaluate("to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }", link)
        reward.locator("canvas").first.wait_for()
        reward.get_by_role("application").focus()
        page.keyboard.press("End")
        expect(reward.locator("[aria-live=polite]")).to_contain_text("Step 100,000: long 0")
        took.append(time.perf_counter() - started)
    budget("20 runs of 100,000 steps, until the keyboard reads a value", *took, unit="s", most=1.5)
    budget("the same, zooming", frames(page, reward, zooming), unit="frames/s", least=50)
    budget("the same, panning", frames(page, reward, panning), unit="frames/s", least=50)


def zooming(page: Page) -> None:
    for _ in range(4):
        for key in "++++----":
            page.keyboard.press(key)
            page.wait_for_timeout(30)


def panning(page: Page) -> None:
    page.keyboard.press("0")
    for _ in range(3):
        page.keyboard.press("+")
    for n in range(60):
        page.mouse.wheel(40 if n < 30 else -40, 0)
        page.wait_for_timeout(16)


def frames(page: Page, reward: Locator, move: Callable[[Page], None]) -> float:
    """A second, while the person moves: the mean over the whole movement."""
    chart = reward.get_by_role("application")
    chart.focus()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.evaluate(f"() => {{ window.frames_ = ({FRAMES})(); }}")
    move(page)
    times = page.evaluate("() => { window.counting = false; return window.frames_; }")
    return round(1000 * (len(times) - 1) / (times[-1] - times[0]), 1)
