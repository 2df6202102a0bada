"""The guidance of a run: the map, the problems that need help, and the trust region, in a real browser."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from runs.record.ingest import ingest
from trapo_core import events
from trapo_core.expert_bins import P_BINS

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]
RATIOS, SAMPLES = (0.0, 0.2, 0.5, 1.0), (4, 2, 1, 1)
THRESHOLDS = (-1, 0.5, 0.7, 0.9)
EVIL = "<img src=x onerror=alert(1)>"
TEXTS = [
    "Start with 7. Add 5, then double it, then take away 9. What do you get?",
    "A tank holds 240 litres and loses 12 litres an hour. How many hours until a quarter is left?",
    f"What is {EVIL} plus 3?",
    "Let $x$ and $y$ be positive integers with $x^2 - y^2 = 45$. Find the largest value of $x + y$. " * 3,
]


class Classroom:
    """Problems of many difficulties, learned step by step by the rule of micro-groups."""

    def __init__(self, problems: int = 60, a_step: int = 8) -> None:
        self.random = Random(11)
        self.a_step = a_step
        self.names = [f"chains-{n}" for n in range(1, problems + 1)]
        self.difficulty = {name: self.random.random() ** 0.7 for name in self.names}
        self.seen: set[str] = set()

    def step(self, step: int, steps: int) -> events.GuidanceDone:
        skill = 0.15 + 0.75 * step / steps
        start = (step - 1) * self.a_step % len(self.names)
        names = [self.names[(start + i) % len(self.names)] for i in range(self.a_step)]
        outcomes = [self._visit(self.difficulty[name], skill) for name in names]
        slots = [self._slot(slot, outcomes) for slot in range(4)]
        counts, rewards = [0] * 9, [0.0] * 9
        for ratios, won in outcomes:
            for ratio, n, reward in zip(ratios, SAMPLES, won, strict=True):
                counts[round(ratio * 8)] += n
                rewards[round(ratio * 8)] += reward
        new = [name for name in names if name not in self.seen]
        self.seen |= set(new)
        return events.GuidanceDone(
            step=step,
            slots=slots,
            prefix_lengths=events.PrefixLengths(bin_tokens=8, counts=counts, rewards=rewards),
            problems=events.ProblemOutcomes(
                samples=list(SAMPLES), ids=names, ratios=[r for r, _ in outcomes], rewards=[w for _, w in outcomes],
                texts={name: TEXTS[int(name.split("-")[1]) % len(TEXTS)] for name in new},
            ),
            expert_tokens=self._tokens(skill),
        )  # fmt: skip

    def _visit(self, hard: float, skill: float) -> tuple[list[float], list[float]]:
        ratios: list[float] = []
        rewards: list[float] = []
        drawn = right = 0
        for ratio, n, below in zip(RATIOS, SAMPLES, THRESHOLDS, strict=True):
            given = ratio if drawn and right / drawn < below else 0.0
            p = min(0.98, max(0.01, 0.5 + 1.6 * (skill - hard) + 0.9 * given))
            won = sum(self.random.random() < p for _ in range(n)) if given < 1 else n
            ratios.append(given)
            rewards.append(float(won))
            drawn, right = drawn + n, right + won
        return ratios, rewards

    @staticmethod
    def _slot(slot: int, outcomes: list[tuple[list[float], list[float]]]) -> events.SlotOutcome:
        guided = [rewards[slot] for ratios, rewards in outcomes if ratios[slot]]
        alone = [rewards[slot] for ratios, rewards in outcomes if not ratios[slot]]
        return events.SlotOutcome(
            slot=slot, ratio=RATIOS[slot], guided=SAMPLES[slot] * len(guided), guided_reward=sum(guided),
            unguided=SAMPLES[slot] * len(alone), unguided_reward=sum(alone),
        )  # fmt: skip

    def _tokens(self, skill: float) -> events.ExpertTokens:
        counts, inside = [], []
        for row in range(7):
            drawn = [0] * P_BINS
            for _ in range(min(60, 8 << row)):
                surprise = self.random.expovariate(0.5 + skill * 1.5 + row * 0.35)
                drawn[max(0, P_BINS - 1 - int(surprise * 8))] += 1
            counts.append(drawn)
            inside.append(sum(drawn[P_BINS - 4 :]))
        return events.ExpertTokens(alpha=0.1, counts=counts, inside=inside)


def teach(story: Story, classroom: Classroom, steps: int) -> Story:
    told: list[Any] = []
    for step in range(story.at + 1, story.at + steps + 1):
        guidance = classroom.step(step, story.steps)
        first = guidance.slots[0]
        tokens = guidance.expert_tokens
        assert tokens is not None
        told += [
            guidance,
            events.StepDone(
                step=step,
                seconds=0.5,
                metrics={
                    "reward/unguided": first.unguided_reward / first.unguided,
                    "guided/share": sum(s.guided for s in guidance.slots) / (8 * classroom.a_step),
                    "expert/inside_trust_region": sum(tokens.inside) / sum(map(sum, tokens.counts)),
                    "expert/p_mean": 0.3 + 0.4 * step / story.steps,
                },
            ),
        ]
    story.at += steps
    run_dir = story.service.settings.run_dir(story.id)
    writer = events.EventWriter(run_dir)
    writer(*told)
    writer.close()
    ingest(story.service.engine, story.lease, run_dir)
    return story


@pytest.fixture(scope="module")
def classroom() -> Classroom:
    return Classroom()


@pytest.fixture(scope="module")
def taught(tell: Tell, classroom: Classroom) -> Story:
    """A run in mid-training that was resumed once."""
    story = tell(name="taught by problems", steps=240).start()
    teach(story, classroom, 130)
    story.end("worker_stopped").start(120)
    return teach(story, classroom, 80)


@pytest.fixture
def guidance(page: Page, served: Service, taught: Story) -> Page:
    page.goto(f"{served.url}/runs/{taught.id}/guidance")
    expect(page.locator(".problem").first).to_be_visible()
    return page


def figure(page: Page, title: str) -> Locator:
    return page.get_by_role("figure", name=title, exact=True)


def test_the_map_has_two_colourings_that_the_url_keeps(guidance: Page) -> None:
    shown = figure(guidance, "Guidance")
    before = shown.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    shown.get_by_role("button", name="success").click()
    expect(shown).to_contain_text("success rate of the cell's samples")
    assert "colour=success" in guidance.url
    assert shown.locator("canvas").first.evaluate("canvas => canvas.toDataURL()") != before
    shown.get_by_role("button", name="by length").click()
    guidance.reload()
    expect(shown.get_by_role("button", name="success")).to_have_attribute("aria-pressed", "true")
    shown.get_by_role("application").first.focus()
    guidance.keyboard.press("End")
    expect(shown.locator("[aria-live=polite]")).to_contain_text(re.compile(r"no prefix: .* samples\), [\d.]+ % right"))
    expect(shown).to_contain_text("dashed line: resumed")


def test_problems_are_ranked_found_and_lead_to_their_rollouts(guidance: Page, taught: Story) -> None:
    shown = figure(guidance, "Problems that need help")
    expect(shown).to_contain_text("Of 60 problems seen so far")
    helps = [int(text.split()[0]) for text in shown.locator(".problem-numbers div:first-child dd").all_inner_texts()]
    assert len(helps) == 20
    assert helps == sorted(helps, reverse=True)
    guidance.get_by_role("button", name="More problems").click()
    expect(shown.locator(".problem")).to_have_count(40)
    guidance.get_by_role("combobox", name="Order").select_option("problem")
    expect(shown.locator(".problem a").first).to_have_text("chains-1")
    guidance.get_by_label("Find problems").fill("LITRES an")
    expect(shown.locator(".problem")).to_have_count(15)
    assert "problem=LITRES+an" in guidance.url
    assert "sort=problem" in guidance.url
    link = shown.locator(".problem a").first
    assert link.get_attribute("href") == f"/runs/{taught.id}/rollouts?problem=chains-1"
    guidance.get_by_label("Find problems").fill("no such thing")
    expect(shown).to_contain_text("No problem of this run has “no such thing”")


def test_a_strip_is_read_by_keyboard_and_a_text_is_only_text(guidance: Page, served: Service, taught: Story) -> None:
    guidance.goto(f"{served.url}/runs/{taught.id}/guidance?problem=onerror")
    shown = figure(guidance, "Problems that need help")
    row = shown.locator(".problem").first
    expect(row.locator(".problem-text")).to_contain_text(EVIL)
    assert guidance.locator("main img").count() == 0
    row.get_by_role("application").focus()
    guidance.keyboard.press("End")
    said = shown.locator("[aria-live=polite]")
    expect(said).to_contain_text(re.compile(r"chains-\d+, step \d+: .* of 8 samples"))
    newest = said.inner_text()
    guidance.keyboard.press("ArrowLeft")
    expect(said).not_to_have_text(newest)


def test_the_trust_region_is_read_by_keyboard_and_follows_the_zoom(guidance: Page) -> None:
    shown = figure(guidance, "Trust region")
    expect(shown).to_contain_text(
        re.compile(r"below α = 0.1 and are held back. It rests on [\d,]+ tokens of steps 1–200\.")
    )
    shown.get_by_role("application").focus()
    guidance.keyboard.press("ArrowLeft")
    said = shown.locator("[aria-live=polite]")
    expect(said).to_contain_text(re.compile(r"All places, p 0\.56 to 1: [\d.]+ % .* full weight"))
    guidance.keyboard.press("ArrowDown")
    expect(said).to_contain_text("Token 1, p 0.56 to 1")
    guidance.keyboard.press("Home")
    expect(said).to_contain_text("weight at most")
    figure(guidance, "Expert tokens over time").scroll_into_view_if_needed()
    lines = figure(guidance, "Expert tokens over time").get_by_role("application")
    lines.focus()
    guidance.keyboard.press("End")
    guidance.keyboard.press("+")
    expect(shown).not_to_contain_text("steps 1–200")
    expect(shown).to_contain_text("–200")
    guidance.keyboard.press("0")
    expect(shown).to_contain_text("steps 1–200")


def test_every_picture_is_saved_as_numbers_and_images(guidance: Page, tmp_path: Path) -> None:
    for title, name in (("Problems that need help", "problems"), ("Trust region", "trust-region")):
        for kind in ("CSV", "SVG", "PNG"):
            with guidance.expect_download() as download:
                figure(guidance, title).get_by_role("button", name=kind).click()
            assert download.value.suggested_filename == f"{name}.{kind.lower()}"
            download.value.save_as(tmp_path / name)
            assert (tmp_path / name).stat().st_size > 500
        figure(guidance, title).get_by_role("button", name="table").click()
        expect(figure(guidance, title).get_by_role("table")).to_be_visible()


def test_new_steps_reach_the_list_of_problems(page: Page, served: Service, tell: Tell) -> None:
    story, room = tell(name="live problems", steps=40).start(), Classroom(problems=30)
    teach(story, room, 1)
    page.goto(f"{served.url}/runs/{story.id}/guidance")
    shown = figure(page, "Problems that need help")
    expect(shown).to_contain_text("Of 8 problems seen so far")
    shown.scroll_into_view_if_needed()
    teach(story, room, 1)
    expect(shown).to_contain_text("Of 16 problems seen so far", timeout=15_000)


@pytest.mark.slow
def test_more_problems_stay_as_many_while_the_run_goes_on(page: Page, served: Service, tell: Tell) -> None:
    story, room = tell(name="many live problems", steps=40).start(), Classroom()
    teach(story, room, 6)
    page.goto(f"{served.url}/runs/{story.id}/guidance")
    shown = figure(page, "Problems that need help")
    shown.get_by_role("button", name="More problems").click()
    expect(shown.locator(".problem")).to_have_count(40)
    teach(story, room, 1)
    expect(shown).to_contain_text("Of 56 problems seen so far", timeout=15_000)
    assert shown.locator(".problem").count() == 40
    # When it cannot be read again, what was read stays.
    page.route("**/problems?*", lambda route: route.abort())
    teach(story, room, 1)
    expect(shown).to_contain_text(re.compile(r"As of \d\d:\d\d, not refreshed"), timeout=15_000)
    assert shown.locator(".problem").count() == 40
    page.unroute("**/problems?*")
    shown.get_by_role("button", name="Try again").click()
    expect(shown).to_contain_text("Of 60 problems seen so far")
    expect(shown).not_to_contain_text("not refreshed")


@pytest.mark.slow
def test_what_is_off_the_screen_or_grows_by_events_is_not_read_again(page: Page, served: Service, tell: Tell) -> None:
    story, room = tell(name="quiet", steps=40).start(), Classroom()
    teach(story, room, 2)
    page.goto(f"{served.url}/runs/{story.id}/guidance")
    expect(figure(page, "Trust region")).to_contain_text("It rests on")  # above it nothing moves any more
    expect(page.locator(".problem")).to_have_count(16)
    expect(figure(page, "Reward by level")).to_contain_text("last values, to step ")
    lines = figure(page, "Expert tokens over time")
    lines.scroll_into_view_if_needed()
    expect(lines).to_contain_text(re.compile(r"Last values, to step \d+: share below α"))
    expect(page.locator(".connection")).to_have_text("live")
    page.wait_for_timeout(5000)  # from here on a new step is asked for at once where somebody looks
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.split("/api/v1")[-1]))
    lines.get_by_role("button", name="table").click()
    teach(story, room, 1)
    expect(lines.locator("tbody tr")).to_have_count(3)
    page.wait_for_timeout(1000)
    of_run = [path.removeprefix(f"/runs/{story.id}") for path in asked]
    assert not [path for path in of_run if path.startswith(("/series", "/problems"))], asked
    page.get_by_role("link", name="Benchmarks").click()
    expect(page.get_by_role("heading", name="Benchmarks")).to_be_visible()
    asked.clear()
    teach(story, room, 1)
    page.wait_for_timeout(1000)
    assert not [path for path in asked if story.id in path]


def test_a_method_without_prefixes_says_what_it_does_instead(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="grpo, nothing given", method="grpo").start().step(3)
    page.goto(f"{served.url}/runs/{story.id}/guidance")
    expect(figure(page, "Guidance")).to_contain_text("every sample starts from the bare problem")
    expect(figure(page, "Trust region")).to_contain_text("No expert token came before the loss")
    expect(figure(page, "Problems that need help")).to_contain_text("does not tell of single problems")


def test_a_phone_can_read_it(chromium: Browser, served: Service, taught: Story) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 800}, device_scale_factor=2)
    page = served.let_in(context).new_page()
    page.goto(f"{served.url}/runs/{taught.id}/guidance")
    expect(page.locator(".problem").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_zoomed_into_a_long_run_the_map_is_read_anew(page: Page, served: Service, tell: Tell) -> None:
    story = teach(tell(name="long", steps=1200).start(), Classroom(problems=30, a_step=1), 1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/guidance?" in request.url else None)
    page.goto(f"{served.url}/runs/{story.id}/guidance")
    shown = figure(page, "Guidance")
    shown.get_by_role("application").last.focus()
    page.keyboard.press("End")
    with page.expect_request(lambda request: "/guidance?" in request.url and "to_step=" in request.url):
        for _ in range(4):
            page.keyboard.press("+")
    expect(shown.get_by_role("button", name="all steps")).to_be_visible()
    shown.get_by_role("application").first.focus()
    page.keyboard.press("End")
    expect(shown.locator("[aria-live=polite]")).to_contain_text(re.compile(r"^step [\d,]+, "))
    assert any("from_step=" in url and "to_step=" in url for url in asked)
    rows = json.loads(page.evaluate(f"fetch('/api/v1/runs/{story.id}/guidance').then(answer => answer.text())"))
    assert rows["steps_per_bucket"] > 1
    asked.clear()
    shown.locator(".lines").last.hover()
    for _ in range(30):
        page.mouse.wheel(-4, 0)
    page.wait_for_timeout(1000)
    assert len(asked) <= 2  # where it came to rest, and not each step of the way
    # Another attempt makes void what was read of the window.
    served.settings.retry_backoff_s = 0
    story.end("worker_stopped")
    with page.expect_request(lambda request: "/guidance?" in request.url and "from_step=" in request.url):
        story.start(resumed_from=900)


def test_a_picture_that_is_read_when_one_comes_there_moves_nothing(page: Page, served: Service, tell: Tell) -> None:
    story, room = tell(name="still", steps=40).start(), Classroom()
    teach(story, room, 2)
    late = re.compile(r"/series:query|/guidance\?")
    page.route(late, lambda _: None)
    page.goto(f"{served.url}/runs/{story.id}/guidance")
    expect(figure(page, "Trust region")).to_contain_text("It rests on")
    expect(page.locator(".problem")).to_have_count(16)
    lines = figure(page, "Expert tokens over time")
    lines.scroll_into_view_if_needed()
    expect(lines).to_contain_text("Reading the curves…")
    before = lines.bounding_box()
    page.unroute(late)  # what was held goes on
    expect(lines).to_contain_text(re.compile(r"Last values, to step \d+: share below α"))
    expect(figure(page, "Reward by level")).to_contain_text("last values, to step ")
    after = lines.bounding_box()
    assert before and after and abs(after["y"] - before["y"]) < 5 and abs(after["height"] - before["height"]) < 30
