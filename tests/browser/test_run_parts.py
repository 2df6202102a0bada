"""Evaluations, checkpoints, logs and events of a run, in a real browser over a real service."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from runs.files import log_path
from trapo_core import events

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]
EVIL = "<img src=x onerror=window.hurt=1>"


def evaluate(story: Story, right: list[int], samples: int = 4) -> None:
    """An evaluation as a training process leaves it: the file of answers, outcomes and score."""
    rows = [
        {
            "problem": f"chain-{place}", "sample": sample, "prompt": f"Start with {place} {EVIL} and add 3.",
            "answer": f"{place + 3}", "completion": f"I add.\nIt is \\boxed{{{place + 3 if sample < n else 99}}}",
            "tokens": 12, "finish": "stop", "score": float(sample < n), "outcome": "right" if sample < n else "wrong",
        }
        for place, n in enumerate(right)
        for sample in range(samples)
    ]  # fmt: skip
    folder = story.service.settings.run_dir(story.id) / "evaluations" / f"step-{story.at:06d}"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "chains.parquet")
    setting = {"samples": samples, "template": "simple"}
    told = {"step": story.at, "benchmark": "chains", "setting": setting, "problems": "p", "samples": samples}
    story.tell(events.BenchmarkOutcomes(**told, right=right))
    story.score(sum(right) / samples / len(right), problems=len(right))


def save_checkpoint(story: Story) -> None:
    path = f"checkpoints/step-{story.at:06d}"
    folder = story.service.settings.run_dir(story.id) / path
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    (folder / "config.json").write_text("{}")
    story.tell(events.CheckpointSaved(step=story.at, path=path, bytes=7002, sha256="ab" * 32))


def log(story: Story, text: str, attempt: int = 1) -> None:
    path = log_path(story.service.settings.run_dir(story.id), attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def waiting(tell: Tell) -> Story:
    return tell(name="it waits")


@pytest.fixture
def story(tell: Tell) -> Story:
    return tell(name="parts").start()


def test_answers_by_problem_filtered_searched_and_opened(page: Page, served: Service, story: Story) -> None:
    story.step(5)
    evaluate(story, [0, 4, 2, *[1] * 30])
    story.step(5)
    evaluate(story, [4, 2, 2, *[0] * 30])
    page.goto(f"{served.url}/runs/{story.id}/evaluations")
    expect(page.get_by_role("figure", name="Scores over steps")).to_be_visible()
    answers = page.get_by_role("region", name="Answers")
    expect(answers.locator(".item")).to_have_count(20)
    answers.get_by_role("button", name="Show more").click()
    expect(answers.locator(".item")).to_have_count(33)
    expect(answers.locator(".item").first).to_contain_text("4 of 4")
    expect(answers.locator(".item").first).to_contain_text("better")
    expect(answers.locator(".past").first).to_have_attribute("aria-label", re.compile("0 of 4 at step 5, 4 of 4"))
    answers.get_by_role("button", name="worse than before 31").click()
    expect(answers.get_by_role("status")).to_contain_text("31 problems found")
    assert "sort=worse" in page.url
    answers.get_by_label("Search problems and answers").fill("chain-1")
    expect(answers.locator(".item")).to_have_count(11)
    answers.get_by_role("button", name="chain-1 ", exact=False).first.click()
    whole = answers.locator(".item-whole")
    expect(whole).to_contain_text(f"Start with 1 {EVIL}")
    whole.get_by_role("button", name="Answer 4, wrong").click()
    expect(whole).to_contain_text("\\boxed{99}")
    page.reload()
    expect(whole).to_contain_text("Start with 1")
    answers.get_by_role("combobox", name="Step").select_option("5")
    expect(answers.get_by_role("button", name="all right 1")).to_be_visible()
    expect(answers.get_by_role("button", name="worse than before")).to_have_count(0)
    assert page.evaluate("window.hurt") is None


def test_an_answer_that_is_open_stays_when_there_is_a_newer(page: Page, served: Service, story: Story) -> None:
    story.step(5)
    evaluate(story, [0, 4, 2])
    page.goto(f"{served.url}/runs/{story.id}/evaluations")
    answers = page.get_by_role("region", name="Answers")
    expect(answers.get_by_role("combobox", name="Step")).to_have_value("5")
    answers.get_by_role("button", name="chain-0 ", exact=False).first.click()
    assert "step=5" in page.url
    story.step(5)
    evaluate(story, [4, 4, 4])
    newest = answers.get_by_role("button", name="newest: step 10")
    expect(newest).to_be_visible()
    expect(answers.get_by_role("combobox", name="Step")).to_have_value("5")
    expect(answers.locator(".item-whole")).to_be_visible()
    newest.click()
    expect(answers.get_by_role("combobox", name="Step")).to_have_value("10")
    expect(answers.locator(".item-whole")).to_have_count(0)


def test_scores_without_answers_say_so(page: Page, served: Service, story: Story) -> None:
    story.step(2).score(0.5)
    page.goto(f"{served.url}/runs/{story.id}/evaluations")
    expect(page.get_by_role("region", name="Answers")).to_contain_text("not on this machine")


def test_a_checkpoint_is_pinned_named_downloaded_and_gone_on_from(page: Page, served: Service, story: Story) -> None:
    story.step(4)
    save_checkpoint(story)
    page.goto(f"{served.url}/runs/{story.id}/checkpoints")
    first = page.locator(".checkpoint").first
    expect(first).to_contain_text("ab" * 32)
    first.get_by_role("button", name="Pin", exact=True).click()
    expect(first.get_by_role("button", name="Unpin")).to_be_visible()
    expect(first.locator(".chip")).to_have_text("pinned")
    first.get_by_role("button", name="Promote…").click()
    name = first.get_by_label("Name of the model")
    expect(name).to_be_focused()
    name.fill("../up")
    first.get_by_role("button", name="Promote step 4").click()
    expect(first.get_by_role("alert")).to_contain_text("begins with a letter")
    (served.settings.models_root / "taken").mkdir(parents=True, exist_ok=True)
    name.fill("taken")
    first.get_by_role("button", name="Promote step 4").click()
    expect(first.get_by_role("alert")).to_contain_text("model folder of its own")
    name.fill("best-parts")
    page.keyboard.press("Enter")
    expect(first.locator(".tag")).to_have_text("best-parts")
    with page.expect_download() as download:
        first.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"{story.id}-step-000004.tar"
    link = first.get_by_role("link", name="Start a run from here")
    expect(link).to_have_attribute("href", f"/new?clone={story.id}&from_checkpoint=4")
    story.step(1)
    save_checkpoint(story)
    expect(page.locator(".checkpoint")).to_have_count(2)


def test_a_log_comes_live_and_is_searched_to_its_beginning(page: Page, served: Service, story: Story) -> None:
    log(story, "needle at the very top\n" + "".join(f"line {n} of many, loss 0.5\n" for n in range(100_000)))
    log(story, f"\x1b[31mred needle {EVIL}\x1b[0m\n")
    page.goto(f"{served.url}/runs/{story.id}/logs")
    box = page.get_by_role("region", name="Lines")
    expect(box).to_contain_text(f"red needle {EVIL}")
    expect(page.locator(".log-state")).to_contain_text("New lines appear")
    log(story, "fresh ünd ")
    log(story, "whole\n")
    expect(box).to_contain_text("fresh ünd whole")
    assert box.locator(".log-row").count() < 150
    page.get_by_label("Search").fill("NEEDLE")
    found = page.locator(".log-found")
    expect(found).to_contain_text("2 of 2", timeout=20_000)
    found.get_by_role("button", name="next").click()
    expect(found).to_contain_text("1 of 2")
    expect(box).to_contain_text("needle at the very top")
    expect(box.locator("mark.current")).to_have_text("needle")
    page.get_by_role("button", name="to the end").click()
    expect(box).to_contain_text("fresh ünd whole")
    with page.expect_download() as download:
        page.get_by_role("button", name="download").click()
    assert download.value.path().read_text() == log_path(served.settings.run_dir(story.id), 1).read_text()
    assert page.evaluate("window.hurt") is None


def test_a_log_goes_on_where_the_connection_broke_and_into_the_next_attempt(
    page: Page, served: Service, story: Story
) -> None:
    log(story, "before\n")
    page.goto(f"{served.url}/runs/{story.id}/logs")
    box = page.get_by_role("region", name="Lines")
    expect(box).to_contain_text("before")
    expect(page.locator(".log-state")).to_contain_text("New lines appear")
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); \
        document.dispatchEvent(new Event('visibilitychange')) }"
    page.evaluate(hide, True)
    log(story, "meanwhile\n")
    page.wait_for_timeout(700)
    expect(box).not_to_contain_text("meanwhile")
    page.evaluate(hide, False)
    expect(box).to_contain_text("meanwhile")
    assert box.locator(".log-row").all_text_contents() == ["before", "meanwhile"]
    story.end("worker_lost")
    with served.engine.begin() as database:
        database.exec_driver_sql(f"UPDATE runs SET not_before = NULL WHERE id = '{story.id}'")
    story.start()
    log(story, "second life\n", attempt=2)
    expect(box).to_contain_text("second life")
    page.reload()
    page.get_by_label("Attempt").select_option("1")
    expect(box).to_contain_text("meanwhile")
    expect(box).not_to_contain_text("second life")
    assert "attempt=1" in page.url


def test_when_the_run_ends_the_log_stays_as_one_reads_it_and_comes_to_its_end(
    page: Page, served: Service, story: Story
) -> None:
    page.route("**/logs?*", lambda route: route.abort())
    log(story, "".join(f"line {n}\n" for n in range(90_000)))
    page.goto(f"{served.url}/runs/{story.id}/logs")
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.unroute("**/logs?*")
    page.get_by_role("button", name="Try again").click()
    box, said = page.get_by_role("region", name="Lines"), page.locator(".log-state")
    expect(said).to_contain_text("New lines appear")
    page.get_by_label("Search", exact=True).fill("line 7")
    expect(page.locator(".log-found")).to_contain_text("of 11,111")
    box.evaluate("box => box.scrollTo(0, 20 * 7000)")
    expect(box).to_contain_text("line 7010")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/logs" in request.url else None)
    log(story, "last words, line 7\n")
    story.end("exit_nonzero", "it broke")
    expect(said).to_contain_text("complete")
    expect(page.locator(".log-found")).to_contain_text("of 11,112")
    expect(box).to_contain_text("line 7010")
    assert asked == []


def test_events_by_kind_text_and_step_both_ways_and_live(page: Page, served: Service, story: Story) -> None:
    story.step(8)
    for number in range(450):
        story.tell(events.Message(level="info" if number else "warning", text=f"note {number} {EVIL}"))
    page.goto(f"{served.url}/runs/{story.id}/events")
    lines = page.locator(".events li")
    expect(lines).to_have_count(200)
    expect(lines.first).to_contain_text(f"note 449 {EVIL}")
    page.get_by_role("button", name="Show older").click()
    expect(lines).to_have_count(400)
    story.tell(events.Message(level="error", text="just now"))
    expect(lines.first).to_contain_text("just now")
    expect(lines).to_have_count(401)
    page.get_by_label("Kind").select_option("step")
    expect(lines).to_have_count(8)
    page.get_by_label("Go to step").fill("5")
    page.keyboard.press("Enter")
    expect(lines).to_have_count(5)
    page.get_by_role("button", name="show newer").click()
    expect(lines).to_have_count(8)
    page.get_by_role("button", name="clear").click()
    page.get_by_label("Text").fill("note 12")
    expect(lines).to_have_count(11)
    assert "contains=note" in page.url
    assert page.evaluate("window.hurt") is None


def test_a_link_to_a_time_is_the_same_time_in_every_zone(page: Page, served: Service, waiting: Story) -> None:
    zone = page.context.new_cdp_session(page)
    zone.send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    page.goto(f"{served.url}/runs/{waiting.id}/events")
    page.get_by_label("or time").fill("2026-01-02T10:30")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events?time=2026-01-02T01%3A30%3A00.000Z")
    expect(page.get_by_label("or time")).to_have_value("2026-01-02T10:30")
    zone.send("Emulation.setTimezoneOverride", {"timezoneId": "America/New_York"})
    page.reload()
    expect(page.get_by_label("or time")).to_have_value("2026-01-01T20:30")
    page.get_by_role("button", name="clear").click()
    expect(page.locator(".events time").first).to_have_attribute("title", re.compile(r"GMT-[45]|E[SD]T"))


def test_the_priority_of_a_waiting_run_is_changed(page: Page, served: Service, waiting: Story) -> None:
    def set_elsewhere(**values: Any) -> None:
        key = {"Authorization": f"Bearer {served.key}"}
        httpx.patch(f"{served.url}/api/v1/runs/{waiting.id}", json=values, headers=key).raise_for_status()

    page.goto(f"{served.url}/runs/{waiting.id}")
    change = page.get_by_role("button", name="change the priority")
    change.click()
    form = page.get_by_role("form", name="Priority")
    box, save = form.get_by_role("textbox"), form.get_by_role("button", name="Save")
    expect(box).to_have_value("0")
    box.fill("300")
    box.press("Enter")
    expect(form.get_by_role("alert")).to_contain_text("from −100 to 100")
    set_elsewhere(tags=["meanwhile"])  # the mark is of this too
    box.fill("7")
    box.press("Enter")
    expect(page.locator(".priority b")).to_have_text("7")
    expect(change).to_be_focused()

    change.click()
    expect(box).to_have_value("7")
    set_elsewhere(priority=9)
    box.fill("8")
    save.click()
    expect(form.get_by_role("alert")).to_contain_text("Somebody has set it to 9 meanwhile")
    waiting.start()
    save.click()
    expect(form.get_by_role("alert")).to_contain_text("cannot get another priority")
    form.get_by_role("button", name="Cancel").click()
    expect(page.locator(".priority")).to_have_count(0)
