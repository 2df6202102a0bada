"""The overview of a run in a real browser: eight panels, their shared controls, and a long run."""

import csv
import math
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import insert, update

from runs.db import writing
from runs.record.rollups import history, roll_up
from runs.tables import PointRow, RunRow, SegmentRow, SeriesRow
from trapo_core import events

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell, Budget = Callable[..., Story], Callable[..., None]

PANELS = (
    "Reward", "Benchmark scores", "Completion length", "Guidance", "Entropy", "Expert tokens", "Gradient norm", "Speed",
)  # fmt: skip
LONG = 100_000


def metrics(step: int, of: int) -> dict[str, float]:
    """A whole step's figures, of the right shape."""
    dice, done = random.Random(step), step / of
    noise = dice.gauss(0, 0.04)
    return {
        "reward/unguided": min(1, max(0, 0.1 + 0.6 * done + noise)), "guided/share": max(0, 0.5 - 0.4 * done + noise),
        "completion/tokens_mean": 40 - 12 * done + 40 * noise, "completion/tokens_p10": 18 - 4 * done,
        "completion/tokens_p90": 60 - 16 * done, "completion/truncated_share": max(0, 0.2 - 0.2 * done + noise / 2),
        "policy/entropy": 0.9 - 0.5 * done + noise, "sampler/kl": 0.001 + abs(noise) / 100,
        "expert/p_mean": 0.5 + 0.3 * done + noise, "expert/inside_trust_region": 0.8 + 0.15 * done + noise,
        "policy/grad_norm": 0.3 * math.exp(8 * noise), "steps/skipped": step // 17,
        "throughput/tokens_per_s": 4000 + 9000 * noise, "time/rollout_s": 0.3 + noise / 4,
        "time/reward_s": 0.02, "time/update_s": 0.15, "engine/sampled_tokens": 2000 + 4000 * noise,
    }  # fmt: skip


def go_on(story: Story, times: int) -> Story:
    for _ in range(times):
        story.at += 1
        slots = story.slots()
        counts = [sum(s.unguided for s in slots), *(s.guided for s in slots[1:])]
        story.tell(
            events.StepDone(step=story.at, seconds=0.5, metrics=metrics(story.at, story.steps)),
            events.GuidanceDone(
                step=story.at, slots=slots, prefix_lengths=events.PrefixLengths(bin_tokens=8, counts=counts)
            ),
        )
        if story.at % 10 == 0:
            path = f"checkpoints/{story.at}"
            (story.service.settings.run_dir(story.id) / path).mkdir(parents=True)
            story.tell(events.CheckpointSaved(step=story.at, path=path, bytes=7, sha256="ab"))
    return story


@pytest.fixture(scope="module")
def trained(tell: Tell) -> Story:
    story = go_on(tell(name="whole figures", steps=40).start().score(0.1), 15)
    go_on(story.score(0.3), 10)
    story.service.settings.retry_backoff_s = 0
    story.end("worker_stopped")
    story.start(resumed_from=20)
    return go_on(story, 15).score(0.5)


@pytest.fixture(scope="module")
def long(served: Service, tell: Tell) -> Story:
    """A run of many steps, written without the events of each."""
    story = tell(name="long", steps=LONG + 100).start()
    with writing(served.engine) as session:
        session.execute(update(RunRow).where(RunRow.id == story.id).values(step=LONG))
        session.merge(SegmentRow(run_id=story.id, segment=1, first_step=1, last_step=None))
        dice = random.Random(1)
        for key in ("reward/unguided", "guided/share", "completion/tokens_mean", "time/step_s"):
            series = SeriesRow(run_id=story.id, key=key)
            session.add(series)
            session.flush()
            rows = ({"series_id": series.id, "step": step, "segment": 1, "flag": 0} for step in range(1, LONG + 1))
            session.execute(insert(PointRow), [row | {"value": dice.random()} for row in rows])
        roll_up(session, history(session, story.id), 0)
    story.at = LONG
    return story


def figure(page: Page, title: str) -> Locator:
    found = page.get_by_role("figure", name=title, exact=True)
    found.scroll_into_view_if_needed()
    return found


def live(panel: Locator) -> Locator:
    return panel.locator("[aria-live=polite]")


@pytest.mark.parametrize("title", PANELS)
def test_each_panel_draws_reads_and_explains_its_numbers(
    page: Page, served: Service, trained: Story, title: str
) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    panel = figure(page, title)
    expect(panel.locator(".lines canvas").first).to_be_visible()
    panel.locator(".lines").last.focus()
    page.keyboard.press("End")
    expect(live(panel)).to_contain_text("Step 35:")
    panel.get_by_text("What is this?").click()
    expect(panel.locator(".about dd").first).to_contain_text(re.compile(r"\w{3,}"))
    for text in panel.locator(".about dd").all_inner_texts():
        assert text.strip()
    panel.get_by_role("button", name="table").click()
    assert panel.locator("tbody tr").count() >= 3


def test_what_happened_is_marked_named_and_said(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    panel = figure(page, "Gradient norm")
    expect(panel.locator(".markers")).to_have_text(re.compile("checkpoint.*evaluation.*step skipped.*resumed"))
    panel.get_by_role("application").focus()
    page.keyboard.press("Home")
    for _ in range(16):
        page.keyboard.press("ArrowRight")
    expect(live(panel)).to_contain_text("Step 17: ")
    expect(live(panel)).to_contain_text("step skipped")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(live(panel)).to_contain_text("checkpoint saved")
    expect(live(panel)).to_contain_text("resumed from here")


def test_axis_smoothing_and_scale_are_in_the_url(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    page.get_by_role("button", name="time", exact=True).click()
    page.get_by_label("smoothing").select_option("1")
    page.get_by_label("log scale").check()
    for word in ("x=time", "smooth=1", "log=1"):
        assert word in page.url
    page.reload()
    expect(page.get_by_role("button", name="time", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("log scale")).to_be_checked()
    panel = figure(page, "Gradient norm")
    with page.expect_download() as file:
        panel.get_by_role("button", name="SVG").click()
    drawn = file.value.path().read_text()
    assert "time trained" in drawn
    assert "NaN" not in drawn


def test_smoothing_and_axis_reach_every_panel(page: Page, served: Service, trained: Story) -> None:
    def drawn(title: str, choice: str) -> str:
        page.goto(f"{served.url}/runs/{trained.id}?{choice}")
        expect(figure(page, title).locator("canvas").first).to_be_visible()
        with page.expect_download() as file:
            figure(page, title).get_by_role("button", name="CSV" if "smooth" in choice else "SVG").click()
        return str(file.value.path().read_text())

    assert "training step" not in drawn("Guidance", "x=time")
    tables = [list(csv.DictReader(drawn("Reward", f"smooth={smooth}").splitlines())) for smooth in (1, 10)]
    by_step, pooled = ([row["no prefix"] for row in table] for table in tables)
    assert by_step[0] == pooled[0]
    assert by_step != pooled


def test_the_zoom_is_in_the_url_and_a_link_opens_the_same_view(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}?smooth=1")
    figure(page, "Gradient norm").get_by_role("application").focus()
    page.keyboard.press("End")
    for _ in range(3):
        page.keyboard.press("+")
    page.wait_for_url(re.compile(r"smooth=1&zoom=[0-9.]+\.\.35$"))
    window = re.search("zoom=.*", page.url)
    assert window is not None
    page.get_by_role("link", name="Guidance", exact=True).click()
    page.wait_for_url(f"**/guidance?*{window[0]}")
    page.get_by_role("link", name="Overview", exact=True).click()
    panel = figure(page, "Expert tokens")
    panel.get_by_text("What is this?").click()
    panel.get_by_role("link", name="Guidance", exact=True).click()
    page.wait_for_url(f"**/guidance?*{window[0]}")
    page.get_by_role("link", name="Overview", exact=True).click()
    page.reload()
    page.get_by_role("button", name="all steps").click()
    page.wait_for_url(lambda url: "zoom" not in url)
    expect(page.get_by_role("button", name="all steps")).to_be_hidden()
    page.go_back()
    page.wait_for_url(f"**/guidance?*{window[0]}")
    page.goto(f"{served.url}/runs/{trained.id}?zoom=30..20")
    figure(page, "Gradient norm")
    expect(page.get_by_role("button", name="all steps")).to_be_hidden()


def test_panels_grow_by_events_without_being_read_again(page: Page, served: Service, tell: Tell) -> None:
    story = go_on(tell(name="growing").start(), 5)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "series:query" in request.url else None)
    page.goto(f"{served.url}/runs/{story.id}")
    expect(figure(page, "Entropy")).to_contain_text("to step 5")
    before = -1
    while before != len(asked):  # until all that is in view has been read
        before = len(asked)
        page.wait_for_timeout(700)
    asked.clear()
    go_on(story, 3)
    expect(figure(page, "Entropy")).to_contain_text("to step 8")
    expect(figure(page, "Entropy").locator(".legend").first).to_contain_text(re.compile(r"entropy\s*0\.\d+"))
    assert asked == []


def test_panels_below_the_screen_are_not_drawn(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    expect(page.get_by_role("figure", name="Reward", exact=True).locator("canvas").first).to_be_visible()
    speed = page.get_by_role("figure", name="Speed", exact=True)
    assert speed.locator("canvas").count() == 0
    speed.scroll_into_view_if_needed()
    expect(speed.locator("canvas").first).to_be_visible()


# When the first line of a picture stands on the screen, told by the page itself.
FIRST_LINE = """() => new MutationObserver((_, observer) => {
  if (!document.querySelector(".figure .lines canvas")) return;
  requestAnimationFrame(() => { window.firstLine = performance.now(); });
  observer.disconnect();
}).observe(document, {childList: true, subtree: true})"""
CLICKED = "() => addEventListener('click', event => { window.clicked = event.timeStamp; }, {capture: true, once: true})"


@pytest.mark.slow
def test_a_run_of_100_000_steps_opens_at_once_and_zooms_in(
    page: Page, served: Service, long: Story, budget: Budget
) -> None:
    page.add_init_script(f"({FIRST_LINE})()")
    took = []
    for _ in range(3):
        page.goto(served.url)
        page.evaluate(CLICKED)
        page.get_by_role("link", name="long", exact=True).click()
        page.locator(".figure .lines canvas").first.wait_for()
        page.wait_for_timeout(100)
        took.append(page.evaluate("(firstLine - clicked) / 1000"))
    budget("first chart of 100,000 steps, from the list", *took, unit="s", most=1)
    reward = page.get_by_role("figure", name="Reward", exact=True)
    chart = reward.get_by_role("application").first
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.504, box["y"] + 60)
    page.mouse.move(box["x"] + box["width"] * 0.53, box["y"] + 60)
    with page.expect_response("**/series:query") as answer:
        page.mouse.up()
    curve = answer.value.json()["data"][0]
    assert curve["steps"][1] - curve["steps"][0] < 20
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(live(reward)).to_contain_text("Step")


@pytest.mark.slow
def test_a_long_run_draws_its_first_chart_within_a_second_of_a_cold_start(
    chromium: Browser, served: Service, long: Story, budget: Budget
) -> None:
    took: list[float] = []
    while len(took) < 3 or (min(took) > 0.9 and len(took) < 8):  # a machine of many has slow moments
        context = chromium.new_context(viewport={"width": 1280, "height": 900})  # nothing is in its cache
        page = served.let_in(context).new_page()
        page.add_init_script(f"({FIRST_LINE})()")
        page.goto(f"{served.url}/runs/{long.id}")
        page.locator(".figure .lines canvas").first.wait_for()
        page.wait_for_timeout(100)
        took.append(page.evaluate("window.firstLine") / 1000)
        context.close()
    budget("first chart of 100,000 steps, nothing in the cache", *took, unit="s", most=1)


def test_no_picture_waits_for_the_guidance(page: Page, served: Service, trained: Story) -> None:
    page.route("**/guidance?**", lambda _: None)  # never answered
    page.goto(f"{served.url}/runs/{trained.id}")
    expect(figure(page, "Reward").locator(".lines canvas").first).to_be_visible()
    expect(figure(page, "Reward")).to_contain_text("Reading the guidance…")
    expect(figure(page, "Entropy")).to_contain_text("to step 35")
    page.unroute("**/guidance?**")
    page.route("**/guidance?**", lambda route: route.fulfill(status=500, json={"detail": "The disk is full."}))
    page.reload()
    expect(figure(page, "Guidance")).to_contain_text("The guidance could not be loaded: The disk is full.")


def test_a_drag_outlives_what_comes_meanwhile(page: Page, served: Service, trained: Story) -> None:
    held: list[Any] = []
    page.route("**/guidance?**", lambda route: held.append(route))
    page.goto(f"{served.url}/runs/{trained.id}")
    panel = page.get_by_role("figure", name="Reward", exact=True)  # nothing scrolls to it
    reward = panel.get_by_role("application", name="Unguided reward")
    expect(reward.locator("canvas")).to_be_visible()
    before = reward.bounding_box()
    assert before is not None
    page.mouse.move(before["x"] + before["width"] * 0.4, before["y"] + 80)
    page.mouse.down()
    page.mouse.move(before["x"] + before["width"] * 0.5, before["y"] + 80, steps=3)
    for route in held:
        route.continue_()
    expect(panel.get_by_role("application", name="Reward by level")).to_be_visible()
    page.mouse.move(before["x"] + before["width"] * 0.7, before["y"] + 80, steps=3)
    page.mouse.up()
    assert reward.bounding_box() == before
    expect(page.get_by_role("button", name="all steps")).to_be_visible()


def test_curves_that_could_not_be_read_are_asked_for_again(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    expect(figure(page, "Reward").locator(".lines canvas").first).to_be_visible()
    page.get_by_label("smoothing").select_option("1")
    expect(page.locator(".plot-note")).to_contain_text("each step")
    away = re.compile("/series:query")
    page.route(away, lambda route: route.fulfill(status=503, json={"detail": "The database is away."}))
    speed = figure(page, "Speed")
    expect(speed).to_contain_text("This could not be loaded: The database is away.")
    page.get_by_label("smoothing").select_option("10")
    expect(figure(page, "Reward")).to_contain_text("This could not be loaded")
    expect(page.locator(".plot-note")).to_contain_text("each step")  # the lines are those of before
    page.unroute(away)
    figure(page, "Reward").get_by_role("button", name="Try again").click()
    expect(page.locator(".plot-note")).to_contain_text("mean of the last 10 steps")
    expect(speed).to_contain_text("This could not be loaded")  # and rests: it is off the screen
    speed.scroll_into_view_if_needed()
    expect(speed.locator(".lines canvas").first).to_be_visible()
    expect(speed).not_to_contain_text("This could not be loaded")


def test_curves_that_were_refused_come_when_the_stream_is_back(page: Page, served: Service, trained: Story) -> None:
    curves, stream = re.compile("/series:query"), re.compile("/stream")
    page.route(curves, lambda route: route.fulfill(status=503, json={"detail": "The database is away."}))
    page.route(stream, lambda route: route.abort())
    page.goto(f"{served.url}/runs/{trained.id}")
    reward = figure(page, "Reward")
    expect(reward).to_contain_text("This could not be loaded: The database is away.")
    expect(page.locator(".connection")).to_have_text("offline")
    page.unroute(curves)
    expect(reward).to_contain_text("This could not be loaded")
    page.unroute(stream)
    expect(reward.locator(".lines canvas").first).to_be_visible(timeout=10_000)
    expect(reward).not_to_contain_text("This could not be loaded")


def test_how_curves_are_shown_goes_along_to_another_part_and_back(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}?x=time&smooth=50&log=1")
    page.get_by_role("link", name="Logs", exact=True).click()
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("button", name="time", exact=True)).to_have_attribute("aria-pressed", "true")
    for word in ("x=time", "smooth=50", "log=1"):
        assert word in page.url


def test_a_mistyped_address_is_a_page_that_says_so(page: Page, served: Service) -> None:
    page.goto(served.url)
    page.evaluate("history.pushState(null, '', '/runs/%'); dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such run")
