"""The dashboard in a real browser, over a real service."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]

COLOURS = """canvas => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] > 0) seen.add(pixels.slice(i, i + 3).join());
  return seen.size;
}"""


@pytest.fixture(scope="module")
def trained(tell: Tell) -> Story:
    """A TRAPO run in mid-training, with scores of before and now."""
    return tell(name="trapo on chains").start().score(0.1).step(12).score(0.4)


@pytest.fixture(scope="module")
def plain(tell: Tell) -> Story:
    return tell(name="grpo on chains", method="grpo").start().score(0.1).step(40).score(0.3).end()


def painted(canvas: Locator) -> None:
    """Comes to show more than a few colours: a picture is drawn when it comes into sight, a frame later."""
    for _ in range(100):
        if canvas.evaluate(COLOURS) > 8:
            return
        canvas.page.wait_for_timeout(50)
    raise AssertionError("the picture stayed empty")


def figure(page: Page, title: str) -> Locator:
    return page.get_by_role("figure", name=title, exact=True)


def test_a_login_link_opens_the_dashboard_once(served: Service, context: BrowserContext, trained: Story) -> None:
    link = served.login_link()
    page = context.new_page()
    page.goto(link)
    page.wait_for_url(f"{served.url}/")
    expect(page.get_by_role("link", name="trapo on chains")).to_be_visible()
    context.clear_cookies()
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("used already")
    assert "token" not in page.url


def test_the_list_leads_to_a_run_with_three_pictures(page: Page, served: Service, trained: Story) -> None:
    page.goto(served.url)
    page.get_by_role("link", name="trapo on chains").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("trapo on chains")
    painted(figure(page, "Reward").locator("canvas").first)
    painted(figure(page, "Reward").locator("canvas").last)
    expect(figure(page, "Benchmark scores")).to_contain_text("chains avg@4 40.0 %")
    figure(page, "Guidance").scroll_into_view_if_needed()
    painted(figure(page, "Guidance").locator("canvas").first)
    page.get_by_role("link", name="Evaluations", exact=True).first.click()
    expect(figure(page, "Benchmark scores").locator("svg text", has_text="chains avg@4")).to_be_visible()
    expect(figure(page, "Benchmark scores").locator("svg text", has_text="40.0 %")).to_be_visible()
    expect(figure(page, "Benchmark scores")).to_contain_text("from 10.0 % before training")


def test_the_keyboard_reads_exact_numbers(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}/guidance")
    guidance = figure(page, "Guidance")
    guidance.get_by_role("application").first.focus()
    page.keyboard.press("Home")
    live = guidance.locator("[aria-live=polite]")
    expect(live).to_contain_text(re.compile(r"step 1, no prefix: [\d.]+ % \(\d+ of 64 samples\), [\d.]+ % right"))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(live).to_contain_text("step 2, 20 % of trace")
    guidance.get_by_role("button", name="by length").click()
    assert "view=length" in page.url
    guidance.get_by_role("application").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    expect(live).to_contain_text("1–8 tokens")
    page.goto(f"{served.url}/runs/{trained.id}/evaluations")
    scores = figure(page, "Benchmark scores")
    scores.get_by_role("application").focus()
    page.keyboard.press("ArrowDown")
    expect(scores.locator("[aria-live=polite]")).to_contain_text("chains avg@4: 40.0 %")


def test_new_steps_arrive_without_reload(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="live").start().step(3)
    page.goto(f"{served.url}/runs/{story.id}")
    progress = page.locator(".run-head .progress-text")
    expect(progress).to_contain_text("step 3 of 40")
    page.evaluate("window.sameDocument = true")
    story.step(2).score(0.5)
    expect(progress).to_contain_text("step 5 of 40")
    expect(figure(page, "Reward")).to_contain_text("to step 5")
    expect(figure(page, "Benchmark scores")).to_contain_text("chains avg@4 50.0 %")
    story.end()
    expect(page.locator(".run-head .chip")).to_have_text("succeeded")
    assert page.evaluate("window.sameDocument")


def test_the_list_is_live(page: Page, served: Service, tell: Tell) -> None:
    page.goto(served.url)
    expect(page.locator(".connection")).to_have_text("live")
    story = tell(name="appears by itself")
    row = page.get_by_role("row", name="appears by itself")
    expect(row).to_contain_text("queued")
    story.start().step()
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("step 1 of 40")


@pytest.mark.parametrize("hours", [0, 2])
def test_a_hidden_tab_sleeps_and_catches_up(page: Page, served: Service, tell: Tell, hours: int) -> None:
    """By all the events that it has slept through, or, after a long time, by reading again."""
    story = tell(name="sleeper").start().step(2)
    page.goto(f"{served.url}/runs/{story.id}")
    expect(page.locator(".connection")).to_have_text("live")
    story.step()
    expect(page.locator(".run-head .progress-text")).to_contain_text("step 3 of 40")
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    hide += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    expect(page.locator(".connection")).to_have_text("asleep")
    story.step(4)
    page.evaluate("ms => { const now = Date.now; Date.now = () => now() + ms; }", hours * 3_600_000)
    with page.expect_request("**/api/v1/stream*") as woken:
        page.evaluate(hide, False)
    assert ("after=" in woken.value.url) == (hours == 0)
    expect(page.locator(".run-head .progress-text")).to_contain_text("step 7 of 40")
    expect(figure(page, "Reward")).to_contain_text("to step 7")


def test_a_resumed_attempt_replaces_what_it_trains_again(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="resumed").start().step(8)
    page.goto(f"{served.url}/runs/{story.id}")
    expect(figure(page, "Reward")).to_contain_text("to step 8")
    story.service.settings.retry_backoff_s = 0
    story.end("worker_stopped")
    story.start(resumed_from=5).step()
    expect(figure(page, "Reward")).to_contain_text("to step 6")
    figure(page, "Reward").get_by_role("button", name="table").click()
    assert figure(page, "Reward").locator("tbody tr").count() == 6


def test_without_a_session_one_logs_in_and_comes_back(served: Service, context: BrowserContext, trained: Story) -> None:
    page = context.new_page()
    page.goto(f"{served.url}/runs/{trained.id}?view=length")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("API key").fill(served.key)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("trapo on chains")
    assert page.url == f"{served.url}/runs/{trained.id}?view=length"


def test_a_session_that_ends_leads_to_the_login(
    page: Page, served: Service, context: BrowserContext, trained: Story
) -> None:
    page.goto(served.url)
    expect(page.get_by_role("link", name="trapo on chains")).to_be_visible()
    context.clear_cookies()
    page.get_by_role("link", name="trapo on chains").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert page.url.endswith(f"/login?next=%2Fruns%2F{trained.id}")


def test_an_idle_page_whose_session_ends_leads_to_the_login_and_back(
    page: Page, served: Service, trained: Story
) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    expect(page.locator(".connection")).to_have_text("live")
    page.evaluate("fetch('/api/v1/sessions', {method: 'DELETE'})")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible(timeout=20_000)
    page.get_by_label("API key").fill(served.key)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("trapo on chains")
    expect(page.locator(".connection")).to_have_text("live")
    assert page.url == f"{served.url}/runs/{trained.id}"


def test_a_method_without_guidance_says_so(page: Page, served: Service, plain: Story) -> None:
    page.goto(f"{served.url}/runs/{plain.id}")
    expect(figure(page, "Guidance")).to_contain_text("no expert prefixes")


def test_text_of_others_is_only_text(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="<img src=x onerror=window.hurt=1>").start().step()
    from_log = "<script>window.hurt = 1</script>"
    (served.settings.run_dir(story.id) / "attempts").mkdir(exist_ok=True)
    story.end("exit_nonzero", from_log)
    page.goto(f"{served.url}/runs/{story.id}/events")
    expect(page.get_by_role("heading", level=1)).to_have_text("<img src=x onerror=window.hurt=1>")
    expect(page.locator(".why")).to_contain_text(from_log)
    expect(page.locator(".events")).to_contain_text("attempt 1 from step 0 of 40")
    assert page.evaluate("window.hurt") is None


def test_not_a_number_is_drawn_and_said(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="broken").start().step(3).step(1, reward=float("nan")).step(2)
    page.goto(f"{served.url}/runs/{story.id}")
    reward = figure(page, "Reward")
    expect(reward).to_contain_text("red tick: not a number")
    reward.get_by_role("application").first.focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(reward.locator("[aria-live=polite]")).to_contain_text("Step 4: ")
    expect(reward.locator("[aria-live=polite]")).to_contain_text("not a number in this step")


def test_pictures_can_be_taken_away(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    for title in ("Reward", "Benchmark scores", "Guidance"):
        figure(page, title).scroll_into_view_if_needed()
        with page.expect_download() as png:
            figure(page, title).get_by_role("button", name="PNG").click()
        assert Path(png.value.path()).read_bytes()[:4] == b"\x89PNG"
        with page.expect_download() as svg:
            figure(page, title).get_by_role("button", name="SVG").click()
        assert ElementTree.fromstring(Path(svg.value.path()).read_text()).tag.endswith("svg")
        with page.expect_download() as csv:
            figure(page, title).get_by_role("button", name="CSV").click()
        assert len(Path(csv.value.path()).read_text().splitlines()) > 2


def test_cancel_asks_first(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="to be cancelled")
    page.goto(f"{served.url}/runs/{story.id}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Keep running").click()
    expect(page.locator(".run-head .chip")).to_have_text("queued")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator(".run-head .chip")).to_have_text("cancelled")
    expect(page.locator(".why")).to_contain_text("user cancelled")


def test_pause_and_resume(page: Page, served: Service, tell: Tell) -> None:
    story = tell(name="to be paused")
    page.goto(f"{served.url}/runs/{story.id}")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".run-head .chip")).to_have_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".run-head .chip")).to_have_text("queued")


def test_without_the_service_the_page_says_offline(
    page: Page, served: Service, context: BrowserContext, trained: Story
) -> None:
    page.goto(served.url)
    expect(page.locator(".connection")).to_have_text("live")
    page.route("**/api/v1/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    expect(page.locator(".connection")).to_have_text("offline")
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="trapo on chains")).to_be_visible()
    expect(page.locator(".connection")).to_have_text("live", timeout=10_000)


@pytest.mark.parametrize("path", ["/", "/runs/{id}"])
def test_a_phone_shows_it_without_scrolling_sideways(page: Page, served: Service, trained: Story, path: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(served.url + path.format(id=trained.id))
    expect(page.get_by_text("trapo on chains").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_theme_is_remembered(page: Page, served: Service) -> None:
    page.goto(served.url)
    page.get_by_role("button", name="Use the dark theme").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_an_unknown_run_is_said_in_words(page: Page, served: Service) -> None:
    page.goto(f"{served.url}/runs/run_00000000000000000000000000")
    expect(page.get_by_role("alert")).to_contain_text("There is no run run_0000")


def test_all_pictures_zoom_together(page: Page, served: Service, trained: Story) -> None:
    page.goto(f"{served.url}/runs/{trained.id}")
    chart = figure(page, "Reward").get_by_role("application", name="Reward by level")
    painted(chart.locator("canvas"))
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 80, steps=5)
    page.mouse.up()
    everything = page.get_by_role("button", name="all steps")
    expect(everything).to_be_visible()
    guidance = figure(page, "Guidance")
    guidance.scroll_into_view_if_needed()
    guidance.get_by_role("application").first.focus()
    page.keyboard.press("Home")
    expect(guidance.locator("[aria-live=polite]")).to_contain_text("samples")
    expect(guidance.locator("[aria-live=polite]")).not_to_contain_text("step 1,")
    everything.click()
    expect(everything).to_be_hidden()
