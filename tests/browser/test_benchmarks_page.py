"""The benchmark board in a real browser: what its words promise about intervals, and what does not compare."""

import random
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from runs.db import writing
from runs.tables import RunRow
from trapo_core.events import BenchmarkOutcomes, BenchmarkScore
from trapo_core.stats import cluster_bootstrap, mean

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]

SETTING = {"samples": 2, "temperature": 1.0, "max_tokens": 3000, "template": "raw", "checker": "1"}


def evaluated(
    story: Story, skill: float, *, benchmark: str = "links", problems: int = 200, luck: int = 0, **setting: Any
) -> Story:
    dice = random.Random(luck)
    answers = [[float(dice.random() < skill) for _ in range(2)] for _ in range(problems)]
    low, high = cluster_bootstrap(answers, statistic=mean)
    story.tell(
        BenchmarkOutcomes(
            step=story.at, benchmark=benchmark, setting=SETTING | setting, problems=f"p{problems}", samples=2,
            right=[int(sum(one)) for one in answers],
        ),
        BenchmarkScore(
            step=story.at, benchmark=benchmark, metric="avg@2", score=mean([mean(one) for one in answers]),
            low=low, high=high, confidence=0.95, interval="cluster_bootstrap", problems=problems, samples=2,
        ),
    )  # fmt: skip
    return story


@pytest.fixture(scope="module")
def board(served: Service, tell: Tell) -> dict[str, Story]:
    told = {
        "best": evaluated(tell(name="best", method="trapo").start().step(2), 0.8, luck=1),
        "plain": evaluated(tell(name="plain", method="grpo").start().step(2), 0.4, luck=2),
        "level": evaluated(tell(name="level", method="sft").start().step(2), 0.41, luck=3),
        "short": evaluated(tell(name="short", method="luffy").start().step(2), 0.6, luck=4, max_tokens=512),
    }
    evaluated(told["best"], 0.97, benchmark="few", problems=12, luck=5)
    aime = tell(name="as in the paper", method="dft").start().step(1)
    aime.tell(
        BenchmarkScore(
            step=1, benchmark="aime24", metric="avg@32", score=0.2, low=0.1, high=0.32, confidence=0.95,
            interval="cluster_bootstrap", problems=30, samples=32,
        )
    )  # fmt: skip
    for seed in range(2):
        one = tell(name=f"again {seed}", method="relift").start().step(2)
        with writing(served.engine) as session:
            row = session.get(RunRow, one.id)
            row.spec = {**row.spec, "seed": 10 + seed}
        told[f"seed {seed}"] = evaluated(one, 0.5, luck=6 + seed)
    return told


def figure(page: Page, title: str) -> Locator:
    return page.get_by_role("figure", name=title, exact=True)


def row(page: Page, title: str, name: str) -> str:
    """What the arrow keys say of a row."""
    found = figure(page, title)
    found.get_by_role("application").focus()
    page.keyboard.press("Home")
    said = found.locator("[aria-live=polite]")
    for _ in range(20):
        if said.inner_text().startswith(name):
            return said.inner_text()
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"no row {name}")


def test_every_score_says_its_interval_size_and_method(page: Page, served: Service, board: dict[str, Story]) -> None:
    page.goto(served.url)
    page.get_by_role("link", name="Benchmarks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Benchmarks")
    said = row(page, "links avg@2", "best")
    assert re.search(r"[\d.]+ % \[[\d.]+ % to [\d.]+ %\]; n 200 × k 2, 95 % bootstrap over problems", said)
    figure(page, "links avg@2").get_by_text("What is this?").click()
    expect(figure(page, "links avg@2").locator(".about")).to_contain_text("Problems are drawn anew")


def test_without_a_baseline_what_overlaps_the_best_is_grey(
    page: Page, served: Service, board: dict[str, Story]
) -> None:
    evaluated(board["best"], 0.79, benchmark="close", luck=1)
    evaluated(board["plain"], 0.78, benchmark="close", luck=2)
    page.goto(f"{served.url}/benchmarks?benchmark=close")
    close = figure(page, "close avg@2")
    expect(close).to_contain_text("1 overlaps the best (grey)")
    expect(close.locator("svg text", has_text="overlaps the best")).to_have_attribute("fill", "var(--ink-3)")


def test_differences_from_a_baseline_grey_what_is_not_told_apart(
    page: Page, served: Service, board: dict[str, Story]
) -> None:
    page.goto(f"{served.url}/benchmarks")
    page.get_by_label("baseline").select_option(board["plain"].id)
    assert f"baseline={board['plain'].id}" in page.url
    links = figure(page, "links avg@2")
    expect(links).to_contain_text("not told apart (grey)")
    assert "better than the baseline" in row(page, "links avg@2", "best")
    assert "not told apart from the baseline" in row(page, "links avg@2", "level")
    assert "the baseline" in row(page, "links avg@2", "plain")
    expect(links.locator("svg text", has_text="not told apart")).to_have_attribute("fill", "var(--ink-3)")


def test_another_setting_is_not_compared_and_says_why(page: Page, served: Service, board: dict[str, Story]) -> None:
    page.goto(f"{served.url}/benchmarks?baseline={board['plain'].id}")
    said = row(page, "links avg@2", "short")
    assert "not comparable: max tokens 512 ≠ 3000" in said
    assert "difference" not in said


def test_seeds_are_one_row_with_their_spread(page: Page, served: Service, board: dict[str, Story]) -> None:
    page.goto(f"{served.url}/benchmarks?benchmark=links")
    assert "2 seeds" in row(page, "links avg@2", "again")
    assert "standard deviation over seeds" in row(page, "links avg@2", "again")
    page.get_by_role("button", name="each seed").click()
    assert "group=none" in page.url
    expect(figure(page, "links avg@2").locator("svg text", has_text=re.compile("^again [01]$"))).to_have_count(2)


def test_small_sets_are_flagged_in_words_and_stay_in_bounds(
    page: Page, served: Service, board: dict[str, Story]
) -> None:
    page.goto(f"{served.url}/benchmarks?benchmark=few")
    few = figure(page, "few avg@2")
    expect(few).to_contain_text("A small set, fewer than 100 problems")
    expect(few.locator("svg text", has_text="small set")).to_be_visible()
    grid = few.locator("svg line[stroke='var(--grid)']")
    ends = [float(one.get_attribute("x1") or 0) for one in grid.all()]
    for whisker in few.locator("svg line:not([stroke='var(--grid)'])").all():
        for end in ("x1", "x2"):
            assert min(ends) <= float(whisker.get_attribute(end) or 0) <= max(ends)


def test_the_papers_table_stands_beside_without_intervals(page: Page, served: Service, board: dict[str, Story]) -> None:
    page.goto(f"{served.url}/benchmarks")
    aime = figure(page, "aime24 avg@32")
    expect(aime).to_be_visible()
    expect(aime).not_to_contain_text("arXiv")
    page.get_by_label("the paper's table").check()
    assert "published=1" in page.url
    expect(aime).to_contain_text("arXiv 2512.17636, table 1")
    said = row(page, "aime24 avg@32", "TRAPO")
    assert "TRAPO, aime24 avg@32: 28.3 %;" in said
    assert figure(page, "math500 avg@1").count() == 0  # nobody here was evaluated on it


def test_filters_and_order_are_in_the_url(page: Page, served: Service, board: dict[str, Story]) -> None:
    page.goto(f"{served.url}/benchmarks")
    page.get_by_label("method").select_option("grpo")
    expect(figure(page, "few avg@2")).to_have_count(0)  # only TRAPO's
    expect(figure(page, "links avg@2").locator("svg text", has_text=re.compile("^best$"))).to_have_count(0)
    page.get_by_role("button", name="newest").click()
    for word in ("method=grpo", "sort=newest"):
        assert word in page.url
    page.get_by_label("tag").fill("nobody has this")
    expect(page.get_by_role("heading", name="No scores match")).to_be_visible()
    page.reload()
    expect(page.get_by_label("tag")).to_have_value("nobody has this")


def test_it_can_be_taken_away(page: Page, served: Service, context: BrowserContext, board: dict[str, Story]) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{served.url}/benchmarks?baseline={board['plain'].id}")
    links = figure(page, "links avg@2")
    with page.expect_download() as png:
        links.get_by_role("button", name="PNG").click()
    assert png.value.path().read_bytes()[:4] == b"\x89PNG"
    with page.expect_download() as svg:
        links.get_by_role("button", name="SVG").click()
    drawn = svg.value.path().read_text()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "NaN" not in drawn
    with page.expect_download() as csv:
        links.get_by_role("button", name="CSV").click()
    assert csv.value.path().read_text().startswith("run,source,method,seeds,step,score,low,high")
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("| run | ")
    assert re.search(r"\| best \|.*Δ \+\d", copied)


def test_new_scores_appear_by_themselves(page: Page, served: Service, board: dict[str, Story], tell: Tell) -> None:
    page.goto(f"{served.url}/benchmarks?benchmark=links")
    expect(figure(page, "links avg@2")).to_be_visible()
    expect(page.locator(".connection")).to_have_text("live")
    evaluated(tell(name="just now", method="prefix_rft").start().step(1), 0.3, luck=9)
    expect(figure(page, "links avg@2").locator("svg text", has_text="just now")).to_be_visible(timeout=10_000)


def test_a_phone_reads_it_and_an_empty_board_says_why(page: Page, served: Service, board: dict[str, Story]) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"{served.url}/benchmarks?baseline={board['plain'].id}")
    expect(figure(page, "links avg@2")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
