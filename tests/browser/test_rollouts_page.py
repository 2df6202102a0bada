"""Run · Rollouts in a real browser: groups and filters, one rollout by its tokens, two side by side, hostile text."""

import random
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell, Budget = Callable[..., Story], Callable[..., None]

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 1">',
    "[go](javascript:window.hacked=1) <a href='javascript:window.hacked=1'>go</a>",
    "\u202egnp.exe\u2066 \u200f",
    "nul\u0000 bell\u0007 \u001b[31mred\u001b[0m",
    "</span></div><style>*{display:none}</style><svg onload=window.hacked=1>",
]
SHOWN = {"\u202e": "⟨U+202E⟩", "\u2066": "⟨U+2066⟩", "\u200f": "⟨U+200F⟩", "\0": "␀", "\a": "␇", "\x1b": "␛"}


def sample(problem: str, slot: int, number: int, completion: str, prefix: str = "", **values: Any) -> dict[str, Any]:
    """A row of the file; a word and the blank before it is a token."""
    words = [re.findall(r"\s?\S+|\s", text) for text in (prefix, completion)]
    tokens = words[0] + words[1]
    chance = random.Random(f"{problem}{slot}{number}{completion[:50]}")
    logps = [-(chance.random() ** 3) * 7 for _ in tokens]
    right = values.get("reward", 1.0) == 1.0
    made = {
        "problem": problem, "slot": slot, "sample": number, "ratio": 0.0, "reward": 1.0,
        "outcome": "right" if right else "wrong", "detail": "" if right else "read '#5$'",
        "advantage": 0.5 if right else -0.5, "finish": "stop", "prompt": f"Problem {problem}: what is 2 + 2?",
        "answer": "4", "prefix": prefix, "completion": completion, "prefix_tokens": len(words[0]),
        "token_ids": [zlib.crc32(word.encode()) % 50_000 for word in tokens], "logps": logps,
        "entropies": [chance.random() * 3 for _ in tokens], "lengths": [len(word) for word in tokens],
    }  # fmt: skip
    return made | values


PLACES = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (2, 0), (3, 0)]


def group(problem: str, rewards: list[float]) -> list[dict[str, Any]]:
    """Slots of 4, 2, 1 and 1 samples; the later ones guided where the first ones failed."""
    guided = sum(rewards[:4]) < 2
    rows = []
    for place, reward in enumerate(rewards):
        slot, number = PLACES[place]
        ratio = (0.0, 0.2, 0.5, 1.0)[slot] if guided else 0.0
        prefix = "First, we add\nthe two numbers" if ratio else ""
        end = f" so the sum is {4 if reward else 5 + place}.\nTherefore #{4 if reward else 5}$"
        cut: dict[str, Any] = {"finish": "length"} if place == 1 and not reward else {}
        rows.append(sample(problem, slot, number, end, prefix, ratio=ratio, reward=reward, **cut))
    return rows


HARD, EVEN, EASY = [0.0] * 8, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0], [1.0] * 8


@pytest.fixture(scope="module")
def sampled(tell: Tell) -> Story:
    """Steps 1 to 6, of which the fourth was not kept."""
    story = tell(name="with rollouts").start()
    for step in range(1, 7):
        rewards = {"hard": HARD if step < 5 else EVEN, "even": EVEN, "easy": EASY}
        if step != 4:
            story.rollouts(step, [row for problem, values in rewards.items() for row in group(problem, values)])
        story.step()
    return story


def opened(page: Page, served: Service, story: Story, query: str = "") -> None:
    page.goto(f"{served.url}/runs/{story.id}/rollouts{query}")
    expect(page.get_by_role("heading", name=re.compile("Groups|Problem .* through steps"))).to_be_visible()


def marks(page: Page) -> Locator:
    return page.locator(".groups .mark")


def rollout(page: Page, rollout_id: str) -> Locator:
    return page.get_by_role("article", name=f"Rollout {rollout_id}", exact=True)


def test_a_tab_leads_to_groups_by_problem_and_step(page: Page, served: Service, sampled: Story) -> None:
    page.goto(f"{served.url}/runs/{sampled.id}")
    page.get_by_role("link", name="Rollouts").click()
    expect(page.locator(".group")).to_have_count(15)
    expect(page.locator(".group h3").first).to_have_text("Step 6")
    expect(page.locator(".group").nth(1)).to_contain_text("4 of 8 right")
    first = marks(page).nth(12)
    expect(first).to_have_accessible_name(
        re.compile("Slot 1, sample 0: right, guided by 20 % of the trace, reward 1.00")
    )
    expect(page.get_by_role("group", name="Slot 0: 1 of 4 right").first).to_be_visible()
    expect(page.locator(".ending")).to_contain_text("15 groups, that is all.")


def test_filters_stand_in_the_url(page: Page, served: Service, sampled: Story) -> None:
    opened(page, served, sampled)
    page.get_by_role("combobox", name="Groups").select_option("all wrong")
    expect(page.locator(".group")).to_have_count(3)
    assert "verdict=all_wrong" in page.url
    page.get_by_role("combobox", name="End").select_option("truncated")
    page.get_by_label("Step", exact=True).and_(page.locator("[type=range]")).press("Home")
    expect(page.locator(".group")).to_have_count(1)
    assert "step=1" in page.url
    expect(page.locator(".mark:not(.beside-filter)")).to_have_count(1)
    page.get_by_role("button", name="clear").click()
    expect(page.locator(".group")).to_have_count(15)
    page.get_by_label("regex").check()
    page.get_by_label("Text matches").fill(r"sum is 1[2-9]\.\s+there")
    expect(page.locator(".group")).to_have_count(3)
    assert "matches=" in page.url
    page.reload()
    expect(page.locator(".group")).to_have_count(3)
    page.get_by_label("Text matches").fill("(a+")
    expect(page.get_by_role("alert")).to_contain_text("Invalid regular expression")
    page.get_by_label("Text matches").fill("nobody wrote this")
    expect(page.locator(".ending")).to_contain_text("No rollout fits this filter.")
    page.get_by_role("button", name="clear the filter").click()
    expect(page.locator(".group")).to_have_count(15)


def test_a_step_that_was_not_kept_says_so(page: Page, served: Service, sampled: Story) -> None:
    opened(page, served, sampled, "?step=4")
    expect(page.locator(".ending")).to_contain_text("The rollouts of step 4 are not kept.")
    page.get_by_role("button", name="step 5", exact=True).click()
    expect(page.locator(".group")).to_have_count(3)
    page.get_by_role("button", name="Earlier step").click()
    expect(page.locator(".group h3").first).to_have_text("Step 3")


def test_a_run_without_rollouts_says_so(page: Page, served: Service, tell: Tell) -> None:
    opened(page, served, tell(name="no rollouts").start())
    expect(page.locator(".ending")).to_contain_text("No rollouts are kept yet.")


def test_a_token_is_read_by_keyboard_and_pointer(page: Page, served: Service, sampled: Story) -> None:
    opened(page, served, sampled, "?step=3")
    marks(page).first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    one = rollout(page, "3-9")
    expect(one).to_contain_text("truncated")
    expect(one).to_contain_text("wrong: read '#5$'")
    text = one.get_by_role("group", name=re.compile("Tokens of the response"))
    text.focus()
    page.keyboard.press("ArrowRight")
    live = one.locator("[aria-live=polite]")
    expect(live).to_contain_text(re.compile(r"Token 1 of \d+, model's own: \" so\" · p 0\.\d{4} · advantage -0\.5000"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(live).to_contain_text("Token 2 of")
    one.locator("[data-i='3']").hover()
    expect(live).to_contain_text("Token 4 of")
    page.keyboard.press("End")
    expect(live).to_contain_text(re.compile(r"Token (\d+) of \1"))
    page.keyboard.press("Escape")
    expect(live).to_contain_text("Point at a token")
    one.get_by_role("button", name="table").click()
    expect(one.locator("table")).to_contain_text("kernel weight")


def test_expert_and_own_tokens_are_told_apart(page: Page, served: Service, sampled: Story) -> None:
    opened(page, served, sampled, "?rollout=3-4")
    one = rollout(page, "3-4")
    expert = one.get_by_role("region", name=re.compile("Expert prefix · 6 tokens"))
    expect(expert).to_contain_text("the two numbers")
    expect(one.get_by_role("region", name=re.compile("Model's own"))).to_contain_text("Therefore #5$")
    line = "node => getComputedStyle(node.querySelector('.text')).textDecorationLine"
    assert expert.evaluate(line) == "underline"
    page.get_by_role("button", name="kernel weight").click()
    assert "colour=kernel" in page.url
    expect(expert.locator("[data-i='0']")).to_have_class(re.compile(r"t\d"))
    expect(one.locator("[data-i='7']")).to_have_class("")
    page.get_by_role("combobox", name="show").select_option("blanks and newlines")
    expect(expert).to_contain_text("First,·we·add↵")
    page.reload()
    expect(rollout(page, "3-4").locator(".said.expert")).to_contain_text("First,·we·add↵")


def test_two_stand_side_by_side_from_their_first_difference(page: Page, served: Service, sampled: Story) -> None:
    opened(page, served, sampled, "?step=3&rollout=3-8")
    page.get_by_role("button", name="put another beside it").click()
    page.locator("[data-rollout='3-10']").click()
    assert "beside=3-10" in page.url
    for rollout_id in ("3-8", "3-10"):
        expect(rollout(page, rollout_id).locator(".fork")).to_have_count(1)
        expect(rollout(page, rollout_id).locator(".fork + [data-i]")).to_have_attribute("data-i", "4")
    boxes = [rollout(page, each).bounding_box() for each in ("3-8", "3-10")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    page.get_by_role("button", name="Close rollout 3-8").click()
    expect(rollout(page, "3-10")).to_be_visible()
    expect(page.locator(".rollout")).to_have_count(1)
    assert "beside" not in page.url


def test_one_problem_is_followed_through_steps(page: Page, served: Service, sampled: Story) -> None:
    opened(page, served, sampled, "?step=3")
    page.get_by_role("button", name="hard").click()
    expect(page.get_by_role("heading", name="Problem hard through steps")).to_be_visible()
    assert "problem=hard" in page.url and "step=" not in page.url
    expect(page.locator(".group h3")).to_have_text(["Step 6", "Step 5", "Step 3", "Step 2", "Step 1"])
    expect(page.locator(".group").first).to_contain_text("4 of 8 right")
    expect(page.locator(".group").last).to_contain_text("0 of 8 right")
    page.locator(".group").last.locator(".mark").last.click()
    expect(rollout(page, "1-7")).to_contain_text("guided by 100 % of the trace")


def test_colours_keep_their_contrast_in_both_themes(page: Page, served: Service, sampled: Story) -> None:
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for colour in ("p", "advantage"):
            opened(page, served, sampled, f"?rollout=3-4&colour={colour}")
            expect(page.locator(".scale li")).to_have_count(7)
            assert min(page.locator(".scale li").evaluate_all(CONTRAST)) >= 4.5


CONTRAST = """items => {
  const light = colour => {
    const parts = colour.match(/[\\d.]+/g).map(Number);
    const shares = parts.slice(0, 3).map(c => c / 255);
    const linear = shares.map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  return items.map(item => {
    let [node, paper] = [item, 'rgba(0, 0, 0, 0)'];
    for (; paper === 'rgba(0, 0, 0, 0)'; node = node.parentElement) paper = getComputedStyle(node).backgroundColor;
    const [a, b] = [light(paper), light(getComputedStyle(item).color)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
}"""


def test_what_a_model_writes_is_only_ever_text(page: Page, served: Service, tell: Tell) -> None:
    rows = [
        sample(f"{number} {text}", 0, 0, f"I say {text} #4$", f"Expert {text}", prompt=text, answer=text, ratio=0.5,
               detail=f"read {text}", reward=0.0)
        for number, text in enumerate(HOSTILE)
    ]  # fmt: skip
    story = tell(name="hostile").start().rollouts(1, rows).step()
    for number, text in enumerate(HOSTILE):
        opened(page, served, story, f"?rollout=1-{number}&show=blanks")
        shown = "".join(SHOWN.get(char, char) for char in text)
        one = rollout(page, f"1-{number}")
        expect(one.locator(".said.own")).to_contain_text(shown.replace(" ", "·"))
        expect(one.locator(".facts")).to_contain_text(f"read {shown}")
        expect(page.locator(".group").nth(number)).to_contain_text(shown.strip())
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main img, main style, main a[href^=javascript]").count() == 0
    page.locator(".group").first.get_by_role("button").first.click()
    expect(page.locator(".group")).to_have_count(1)


@pytest.mark.slow
def test_a_megabyte_and_thousands_of_tokens_do_not_stutter(
    page: Page, served: Service, tell: Tell, budget: Budget
) -> None:
    rng = random.Random(1)
    words = " ".join(rng.choice(["add", "the", "x^2", "\\frac{1}{2}", "so\n"]) for _ in range(8000))
    big = sample("big", 0, 0, words)
    blob = sample("blob", 0, 0, "x" * 1_000_000)
    old = sample("old", 0, 0, "y" * 1_000_000, lengths=None)
    story = tell(name="long").start().rollouts(1, [big, blob, old]).step()
    opened(page, served, story, "?rollout=1-0")
    expect(page.locator("[data-i='7999']")).to_be_attached()
    slowest = page.evaluate("""async () => {
      const text = document.querySelector('.tokens');
      text.focus();
      let slowest = 0;
      for (let i = 0; i < 40; i += 1) {
        const begin = performance.now();
        text.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', shiftKey: true, bubbles: true}));
        await new Promise(done => requestAnimationFrame(done));
        slowest = Math.max(slowest, performance.now() - begin);
      }
      return slowest;
    }""")
    budget("8,000 tokens, slowest from key to frame", slowest, unit="ms", most=250)
    for rollout_id in ("1-1", "1-2"):
        opened(page, served, story, f"?rollout={rollout_id}")
        expect(rollout(page, rollout_id).locator(".said.own")).to_be_visible(timeout=10_000)


def test_formulas_are_drawn_as_far_as_they_are_known(page: Page, served: Service, tell: Tell) -> None:
    text = (
        r"Half is \(\frac{1}{2}\), the rest \(\href{javascript:window.hacked=1}{x}\) is $\boxed{\text{<img src=x>}}$."
    )
    story = tell(name="formulas").start().rollouts(1, [sample("f", 0, 0, text, prompt=r"What is \[x^2\]?")]).step()
    opened(page, served, story, "?rollout=1-0")
    expect(rollout(page, "1-0").locator("math")).to_have_count(0)
    page.get_by_role("combobox", name="show").select_option("formulas drawn")
    one = rollout(page, "1-0")
    expect(one.locator("math")).to_have_count(3)
    tops = "fraction => [...fraction.children].map(part => part.getBoundingClientRect().top)"
    above, below = one.locator(".said.own mfrac").evaluate(tops)
    assert above + 5 < below
    expect(one.locator(".said.own")).to_contain_text("javascript:window.hacked=1")
    assert page.locator("main img, main a[href^=javascript]").count() == 0


def test_a_search_goes_on_by_itself_and_then_asks(page: Page, served: Service, sampled: Story) -> None:
    asked = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        kept = {"count": 3000, "first": 1, "last": 3000, "before": 2999, "after": None}
        route.fulfill(json={"data": [], "next_cursor": f"{3000 - len(asked)}-0", "kept": kept})

    page.route("**/groups?*", answer)
    opened(page, served, sampled, "?verdict=all_right")
    further = page.get_by_role("button", name="search further")
    expect(further).to_be_visible()
    assert len(asked) == 5
    with page.expect_request(re.compile("cursor=2991-0")):
        further.click()
    expect(further).to_be_visible()
    assert len(asked) == 10
    assert "cursor=2991-0" in asked[-1]


def test_a_phone_reads_it(page: Page, served: Service, sampled: Story) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    opened(page, served, sampled, "?step=3&rollout=3-4&beside=3-5")
    expect(rollout(page, "3-5")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
