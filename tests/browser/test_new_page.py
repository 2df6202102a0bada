"""The page of a new run in a real browser: by form, with errors at their fields, as a clone, by keyboard alone."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]

HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
RUN_PAGE = re.compile(r"/runs/run_\w+")


def field(page: Page, pointer: str) -> Locator:
    return page.locator(f'[id="field:{pointer}"]')


def plan(page: Page) -> Locator:
    return page.get_by_role("region", name="Plan")


def ask(served: Service, path: str) -> Any:
    answer = httpx.get(f"{served.url}/api/v1{path}", headers={"Authorization": f"Bearer {served.key}"}, timeout=60)
    return answer.raise_for_status().json()


def latest(served: Service) -> Any:
    return ask(served, "/runs/" + ask(served, "/runs?limit=1")["data"][0]["id"])


def small(page: Page, served: Service, method: str = "trapo") -> None:
    """A form that is right: a method, and the small world."""
    page.goto(f"{served.url}/new?method={method}")
    field(page, "/model/source").select_option("small_world")
    field(page, "/data/format").select_option("small_world")
    page.locator("summary", has_text="Sampling and rewards").click()
    field(page, "/sampling/max_tokens").fill("40")


def test_a_run_is_submitted_by_form(page: Page, served: Service) -> None:
    page.goto(served.url)
    page.get_by_role("link", name="New run").click()
    expect(page.get_by_role("heading", name="New run")).to_be_visible()
    page.get_by_role("link", name="grpo", exact=True).click()
    page.wait_for_url("**/new?method=grpo")
    expect(plan(page).get_by_role("status")).to_have_text("not valid yet")
    expect(plan(page).get_by_role("button", name="model")).to_be_visible()
    small(page, served, "grpo")
    field(page, "/name").fill("by form")
    field(page, "/steps").fill("7")
    field(page, "/tags").fill("a, b")
    expect(plan(page).get_by_role("status")).to_have_text("valid")
    expect(plan(page).get_by_text("Steps").locator("..")).to_contain_text("7")
    plan(page).get_by_label("Estimated for").select_option("A100")
    expect(plan(page)).to_contain_text("as asked (A100)")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url(RUN_PAGE)
    expect(page.get_by_role("heading", name="by form")).to_be_visible()
    spec = latest(served)["spec"]
    assert (spec["method"], spec["steps"], spec["tags"], spec["sampling"]["max_tokens"]) == ("grpo", 7, ["a", "b"], 40)
    assert [slot["n"] for slot in spec["guidance"]["slots"]] == [8]


def test_what_differs_from_the_method_is_marked_and_taken_back(page: Page, served: Service) -> None:
    small(page, served)
    page.locator("summary", has_text="Guidance").click()
    share = field(page, "/guidance/slots/1/ratio")
    expect(share).to_have_value("0.2")
    share.fill("0.4")
    group = page.locator("details", has=page.get_by_role("heading", name="Guidance"))
    expect(group.locator("summary")).to_contain_text("1 changed")
    expect(group.get_by_text("trapo has")).to_be_visible()
    group.get_by_role("button", name="Add slot").click()
    expect(group.get_by_role("group", name="slot 5")).to_be_visible()
    group.get_by_role("button", name="remove slot 5").click()
    expect(group.get_by_role("group", name="slot 5")).to_be_hidden()
    group.get_by_role("button", name="take back guidance slots").click()
    expect(share).to_have_value("0.2")
    expect(group.locator("summary")).not_to_contain_text("changed")


def test_an_error_stands_at_its_field_and_the_summary_leads_there(page: Page, served: Service) -> None:
    small(page, served)
    page.locator("summary", has_text="Optimizer").click()
    lr = field(page, "/optimizer/lr")
    lr.fill("1e-")
    expect(lr).to_have_attribute("aria-invalid", "true")
    expect(field(page, "/optimizer/lr:error")).to_contain_text("number")
    field(page, "/steps").fill("0")
    expect(field(page, "/steps:error")).to_contain_text("greater than or equal to 1")
    page.locator("summary", has_text="Optimizer").click()
    page.get_by_role("button", name="Submit", exact=True).click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("2 to mend")
    expect(summary).to_be_focused()
    summary.get_by_role("button", name="optimizer › lr").click()
    expect(lr).to_be_focused()
    lr.fill("1e-4")
    field(page, "/steps").fill("5")
    expect(summary).to_be_hidden()
    expect(lr).to_have_value("1e-4")


def test_an_empty_form_names_what_is_missing(page: Page, served: Service) -> None:
    page.goto(f"{served.url}/new?method=trapo")
    expect(plan(page).get_by_role("status")).to_have_text("not valid yet")
    expect(page.locator(".error")).to_have_count(0)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("model: is missing.")
    page.get_by_role("alert").get_by_role("button", name="data").click()
    expect(field(page, "/data")).to_be_focused()


def test_a_clone_differs_in_what_was_changed(page: Page, served: Service, tell: Tell) -> None:
    parent = tell(name="the parent", steps=12)
    page.goto(f"{served.url}/runs/{parent.id}")
    page.get_by_role("button", name="Clone").click()
    expect(page.get_by_role("heading", name="Clone of the parent")).to_be_visible()
    expect(page.get_by_text("this would be the same run once more")).to_be_visible()
    field(page, "/steps").fill("9")
    changed = page.get_by_role("region", name="Changed")
    expect(changed.get_by_role("listitem")).to_have_count(1)
    expect(changed.get_by_role("listitem")).to_contain_text(re.compile("steps.*12.*9"))
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and parent.id not in url)
    made = latest(served)
    assert made["parent_id"] == parent.id
    assert made["overrides"] == {"steps": 9}
    assert made["spec"] == ask(served, f"/runs/{parent.id}")["spec"] | {"steps": 9}


def test_a_comparison_submits_all_its_specs(page: Page, served: Service) -> None:
    page.goto(f"{served.url}/new?recipe=demo")
    tabs = page.get_by_role("group", name="Runs of this recipe")
    expect(tabs.get_by_role("button")).to_have_count(2)
    tabs.get_by_role("button", name="demo · GRPO").click()
    expect(field(page, "/method")).to_have_value("grpo")
    field(page, "/seed").fill("3")
    expect(plan(page).get_by_role("status")).to_have_text("valid")
    page.get_by_role("button", name="Submit 2 runs").click()
    page.wait_for_url("**/compare?run=*&run=*")
    grpo, trapo = ask(served, "/runs?limit=2")["data"]
    assert (grpo["name"], trapo["name"]) == ("demo · GRPO", "demo · TRAPO")
    assert [ask(served, f"/runs/{run['id']}")["spec"]["seed"] for run in (grpo, trapo)] == [3, 0]


def test_seeds_make_a_sweep(page: Page, served: Service) -> None:
    small(page, served)
    field(page, "/name").fill("sown")
    page.locator("summary", has_text="Sweep").click()
    page.get_by_label("a run for each seed").fill("0-2")
    page.get_by_role("button", name="Submit 3 runs").click()
    page.wait_for_url(re.compile(r"/\?q=sweep"), timeout=10_000)
    expect(page.locator(".run-link")).to_have_count(3)


@pytest.mark.slow
def test_a_sweep_is_written_by_the_keyboard_and_its_errors_stand_at_the_field(page: Page, served: Service) -> None:
    small(page, served)
    field(page, "/name").fill("swept")
    page.locator("summary", has_text="Sweep").focus()
    page.keyboard.press("Enter")
    add = page.get_by_role("button", name="Add a field")
    add.press("Enter")
    first = page.get_by_role("group", name="Field 1 of the sweep")
    expect(first.get_by_label("field")).to_be_focused()
    page.keyboard.type("optimizer.lr")
    page.keyboard.press("Tab")
    page.keyboard.type("1e-5, -3")
    add.press("Enter")
    second = page.get_by_role("group", name="Field 2 of the sweep")
    expect(second.get_by_label("field")).to_be_focused()
    page.keyboard.type("guidance.slots.1.ratio")
    page.keyboard.press("Tab")
    page.keyboard.type("0.2, 0.4, 0.2")
    page.get_by_label("a run for each seed").fill("0-49")
    sweep = page.locator("details", has=page.get_by_role("heading", name="Sweep"))
    expect(second.locator(".error")).to_contain_text("A value is there twice")
    second.get_by_label("values").fill("0.2, 0.4, 0.6")
    expect(sweep.get_by_role("status")).to_have_text("It makes 300 runs: 2 × 3 values, 50 seeds.")
    expect(sweep.locator(".error")).to_contain_text("at most 256")
    page.get_by_label("a run for each seed").fill("0-1")
    expect(plan(page)).to_contain_text("Of the first of 12 runs")
    expect(plan(page).get_by_role("status")).to_have_text("valid")
    # The first run is right, so only the service can say it.
    page.get_by_role("button", name="Submit 12 runs").click()
    expect(first.locator(".error")).to_contain_text("greater than 0")
    expect(first.get_by_label("values")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("alert").get_by_role("button", name="sweep › 1").click()
    expect(first.get_by_label("field")).to_be_focused()
    page.get_by_label("priority").fill("high")
    first.get_by_label("values").fill("1e-5, 3e-5")
    page.get_by_role("button", name="Submit 12 runs").click()
    expect(field(page, "/priority:error")).to_contain_text("from −100 to 100")
    page.get_by_label("priority").fill("5")
    page.get_by_role("button", name="Submit 12 runs").click()
    page.wait_for_url(re.compile(r"/\?q=sweep"), timeout=10_000)
    expect(page.locator(".run-link")).to_have_count(12)
    sent = ask(served, "/sweeps?limit=1")["data"][0]
    made = ask(served, f"/sweeps/{sent['id']}")
    assert made["matrix"] == {"optimizer.lr": [1e-5, 3e-5], "guidance.slots.1.ratio": [0.2, 0.4, 0.6]}
    assert (made["name"], made["seeds"]) == ("swept", [0, 1])
    assert latest(served)["spec"]["guidance"]["slots"][1]["ratio"] == 0.6
    assert latest(served)["priority"] == 5


def test_sent_twice_it_makes_one_run(page: Page, served: Service) -> None:
    """The answer is lost on its way; the second time the same run is found."""
    small(page, served)
    field(page, "/name").fill("only once")
    expect(plan(page).get_by_role("status")).to_have_text("valid")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if "dry_run" in route.request.url or lost:
            route.fallback()
            return
        lost.append(route.fetch().json()["id"])
        route.abort()

    page.route("**/api/v1/runs*", lose)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("is not made twice")
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("button", name="Submit", exact=True).dblclick()
    page.wait_for_url(f"**/runs/{lost[0]}")
    assert ask(served, "/runs?name=only%20once")["total"] == 1


def test_a_draft_survives_a_reload_and_starting_over_asks(page: Page, served: Service) -> None:
    small(page, served)
    field(page, "/name").fill("half written")
    page.reload()
    expect(field(page, "/name")).to_have_value("half written")
    page.get_by_role("link", name="Runs").click()
    page.go_back()
    expect(field(page, "/name")).to_have_value("half written")
    page.get_by_role("button", name="start over").click()
    page.get_by_role("dialog").get_by_role("button", name="Start over").click()
    expect(field(page, "/name")).to_have_value("")
    expect(field(page, "/model/source")).to_have_value("")


def test_the_spec_as_text_and_back(page: Page, served: Service) -> None:
    page.goto(f"{served.url}/new?recipe=demo")
    page.locator("summary", has_text="As text").click()
    text = page.locator(".as-text pre")
    expect(text).to_contain_text('name: "demo · TRAPO"')
    page.get_by_role("button", name="JSON", exact=True).click()
    expect(text).to_contain_text('"method": "trapo"')
    spec = json.loads(text.inner_text())[1] | {"name": HOSTILE, "steps": 11}
    page.get_by_label("fill the form from JSON").fill("steps: 1")
    page.get_by_role("button", name="Fill the form").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    page.get_by_label("fill the form from JSON").fill(json.dumps(spec))
    page.get_by_role("button", name="Fill the form").click()
    expect(field(page, "/steps")).to_have_value("11")
    expect(field(page, "/name")).to_have_value(HOSTILE)
    page.get_by_role("button", name="curl").click()
    expect(text).to_contain_text("curl -X POST")


def test_names_are_only_text(page: Page, served: Service, tell: Tell) -> None:
    parent = tell(name=HOSTILE, steps=3)
    page.goto(f"{served.url}/new?clone={parent.id}")
    expect(page.get_by_role("heading", name=f"Clone of {HOSTILE}")).to_be_visible()
    field(page, "/tags").fill(HOSTILE)
    expect(field(page, "/tags:error")).to_be_visible()
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(f"{served.url}/new?recipe={HOSTILE}")
    expect(page.get_by_text("There is no recipe")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "New run · TRAPO"


def test_by_keyboard_alone(page: Page, served: Service, tell: Tell) -> None:
    parent = tell(name="for the keyboard", steps=5)
    page.goto(f"{served.url}/new?clone={parent.id}")
    expect(plan(page).get_by_role("status")).to_have_text("valid")

    def tab_to(target: Locator) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"the Tab key does not lead to {target}")

    tab_to(field(page, "/steps"))
    page.keyboard.press("Control+a")
    page.keyboard.type("6")
    tab_to(page.locator("summary", has_text="Optimizer"))
    page.keyboard.press("Enter")
    tab_to(field(page, "/optimizer/schedule"))
    page.keyboard.type("cos")
    tab_to(page.get_by_role("button", name="Submit", exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: parent.id not in url and "/runs/" in url)
    assert latest(served)["overrides"] == {"steps": 6, "optimizer.schedule": "cosine"}


def test_who_may_only_read_gets_a_calm_line(chromium: Browser, served: Service) -> None:
    key = served.post("/api-keys", {"name": "reader", "scopes": ["read"]})["key"]
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{served.url}/login")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.goto(f"{served.url}/new?recipe=demo")
    expect(page.get_by_text("You may look but not submit")).to_be_visible()
    expect(page.get_by_role("button", name="Submit 2 runs")).to_be_disabled()
    expect(field(page, "/steps")).to_be_disabled()
    context.close()


@pytest.mark.parametrize("path", ["/new", "/new?recipe=demo", "/new?method=trapo"])
def test_a_phone_can_read_it(page: Page, served: Service, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(served.url + path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for summary in page.locator(".new-group > summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
