"""Every number one click from its definition, with pointer, touch and keyboard."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell = Callable[..., Story]


@pytest.fixture(scope="module")
def whole(tell: Tell) -> Story:
    return tell(name="all of it").whole()


def test_the_figures_of_a_run_tell_by_keyboard_what_they_mean(page: Page, served: Service, whole: Story) -> None:
    page.goto(f"{served.url}/runs/{whole.id}")
    page.get_by_role("button", name="unguided reward", exact=True).focus()
    expect(page.get_by_role("tooltip")).to_contain_text("the first slot, which measures the model alone")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()
    page.get_by_role("button", name="score", exact=True).click()
    expect(page.get_by_role("tooltip")).to_contain_text("mean over problems")


def test_columns_of_the_list_tell_what_they_mean(page: Page, served: Service, whole: Story) -> None:
    page.goto(served.url)
    page.get_by_role("columnheader", name="Guided", exact=True).get_by_role("button").focus()
    expect(page.get_by_role("tooltip")).to_contain_text("started from an expert prefix")
    page.get_by_role("button", name="Score", exact=True).focus()
    expect(page.get_by_role("tooltip")).to_contain_text("Latest avg@k")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("part", "figure", "word"),
    [
        ("/guidance", "Guidance", "slot"),
        ("/guidance", "Reward by level", "Longer prefixes go only to problems that still failed"),
        ("/evaluations", "Benchmark scores", "Bootstrap over problems"),
    ],
)
def test_pictures_tell_what_they_mean(
    page: Page, served: Service, whole: Story, part: str, figure: str, word: str
) -> None:
    page.goto(f"{served.url}/runs/{whole.id}{part}")
    shown = page.get_by_role("figure", name=figure, exact=True)
    shown.get_by_text("What is this?").click()
    expect(shown.locator(".about")).to_contain_text(word)


def test_rollouts_and_compared_maps_tell_what_they_mean(page: Page, served: Service, whole: Story) -> None:
    page.goto(f"{served.url}/runs/{whole.id}/rollouts")
    page.get_by_text("What is this?").click()
    expect(page.locator(".about")).to_contain_text("kernel weight k(p)")
    page.goto(f"{served.url}/compare?run={whole.id}")
    one = page.get_by_role("figure", name="all of it", exact=True)
    one.get_by_text("What is this?").click()
    expect(one.locator(".about")).to_contain_text("expert trace")
