"""The stream in a real browser: cut and taken up again, a hundred events a second, an hour of them."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = pytest.mark.browser

Service, Story = Any, Any  # of conftest.py, which importlib mode does not let us import
Tell, Budget = Callable[..., Story], Callable[..., None]

MEGABYTE = 1_000_000


class Wire:
    """A way to the service that can be cut: connections are closed, new ones are refused until it is mended. Or its
    streams stall: they stay open, and nothing comes."""

    def __init__(self, to: int) -> None:
        self.to, self.whole = to, True
        self.open: list[socket.socket] = []
        self.streams: list[socket.socket] = []
        self.stuck: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                if not self.whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.to))
                self.open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if data.startswith(b"GET /api/v1/stream"):
                    self.streams.append(sink)
                if source not in self.stuck:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def stall(self) -> None:
        self.stuck += self.streams

    def cut(self) -> None:
        self.whole = False
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.open.clear()


@pytest.fixture
def wire(served: Service) -> Iterator[Wire]:
    made = Wire(served.settings.port)
    yield made
    made.cut()
    made.listener.close()


@pytest.mark.parametrize("path", ["/", "/runs/{id}", "/compare?run={id}"])
def test_a_page_reads_everything_once(page: Page, served: Service, tell: Tell, path: str) -> None:
    story = tell(name="read once").start().step(4)
    asked: list[str] = []
    page.goto("about:blank")  # what the page before it reads does not count
    page.on("request", lambda sent: "/api/" in sent.url and asked.append(f"{sent.url} {sent.post_data or ''}"))
    page.goto(served.url + path.format(id=story.id))
    expect(page.locator(".connection")).to_have_text("live")
    page.wait_for_load_state("networkidle")
    assert any(story.id in one or "/runs?" in one for one in asked), asked
    assert sorted(asked) == sorted(set(asked)), "\n".join(asked)


def test_a_cut_stream_goes_on_without_gap_or_double(
    served: Service, context: BrowserContext, tell: Tell, wire: Wire
) -> None:
    story = tell(name="cut").start().step(4)
    page = context.new_page()
    here = f"http://127.0.0.1:{wire.port}"
    page.goto(served.login_link().replace(served.url, here))
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.goto(f"{here}/runs/{story.id}")
    reward = page.get_by_role("figure", name="Reward", exact=True)
    progress = page.locator(".run-head .progress-text")
    expect(reward).to_contain_text("to step 4")
    expect(page.locator(".connection")).to_have_text("live")
    story.step(2)
    expect(progress).to_contain_text("step 6 of 40")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "series:query" in request.url else None)
    wire.cut()
    expect(page.locator(".connection")).to_have_text("offline", timeout=10_000)
    story.step(5)
    page.wait_for_timeout(500)
    expect(progress).to_contain_text("step 6 of 40")
    wire.whole = True
    expect(progress).to_contain_text("step 11 of 40", timeout=15_000)
    expect(page.locator(".connection")).to_have_text("live")
    expect(reward).to_contain_text("to step 11")
    reward.get_by_role("button", name="table").click()
    assert reward.locator("tbody tr td:first-child").all_inner_texts() == [str(n) for n in range(1, 12)]
    assert asked == []  # what was missed came by the stream; nothing was read again


def test_a_stream_that_stalls_is_told_and_made_anew(
    served: Service, context: BrowserContext, tell: Tell, wire: Wire
) -> None:
    story = tell(name="stalled").start().step(1)
    here = f"http://127.0.0.1:{wire.port}"
    page = context.new_page()
    page.clock.install()
    page.goto(served.login_link().replace(served.url, here))
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.goto(f"{here}/runs/{story.id}")
    progress = page.locator(".run-head .progress-text")
    expect(progress).to_contain_text("step 1 of 40")
    expect(page.locator(".connection")).to_have_text("live")
    wire.stall()
    story.step(1)
    page.wait_for_timeout(1000)
    expect(progress).to_contain_text("step 1 of 40")
    with page.expect_request("**/api/v1/stream*"):
        page.clock.fast_forward(46_000)
    expect(progress).to_contain_text("step 2 of 40")
    expect(page.locator(".connection")).to_have_text("live")


# The page's own stream, and a way to speak through it.
FEED = """() => {
  const Real = window.EventSource;
  window.EventSource = class extends Real { constructor(...asked) { super(...asked); window.stream = this; } };
  let seq = 1e12;
  window.feed = (run_id, type, data) => {
    const body = JSON.stringify({seq: ++seq, run_id, ts: new Date().toISOString(), type, data});
    window.stream.dispatchEvent(new MessageEvent(type, {data: body}));
  };
  window.feedStep = (run_id, step) => {
    const wave = shift => 0.5 + 0.4 * Math.sin(step / 90 + shift);
    const keys = ["reward/unguided", "guided/share", "completion/tokens_mean", "completion/tokens_p10",
      "completion/tokens_p90", "completion/truncated_share", "policy/entropy", "sampler/kl", "expert/p_mean",
      "expert/inside_trust_region", "policy/grad_norm", "steps/skipped", "throughput/tokens_per_s", "time/rollout_s",
      "time/reward_s", "time/update_s", "engine/sampled_tokens"];
    window.feed(run_id, "step", {step, seconds: 1, metrics: Object.fromEntries(keys.map((key, i) => [key, wave(i)]))});
    window.feed(run_id, "guidance", {step, prefix_lengths: {bin_tokens: 8, counts: [32, 8, 8, 8, 8]},
      slots: [0, 0.2, 0.5, 1].map((ratio, slot) => ({slot, ratio, guided: ratio ? 8 : 0, guided_reward: ratio ? 6 : 0,
        unguided: ratio ? 0 : 32, unguided_reward: ratio ? 0 : 9}))});
    if (step % 50 === 0) window.feed(run_id, "message", {level: "info", text: `step ${step}`});
  };
}"""


@pytest.fixture
def fed(page: Page, served: Service, tell: Tell) -> Page:
    """The overview of a run in training, as high as all its pictures, with `feedStep(run, step)`."""
    story = tell(name="fed", steps=4000).whole()
    page.add_init_script(f"({FEED})()")
    page.set_viewport_size({"width": 1280, "height": 3600})
    page.goto(f"{served.url}/runs/{story.id}")
    expect(page.locator(".connection")).to_have_text("live")
    expect(page.get_by_role("figure", name="Speed").locator("canvas").first).to_be_visible()
    page.wait_for_timeout(500)
    page.evaluate("id => { window.run = id; window.at = 24; }", story.id)
    return page


def test_a_hundred_events_a_second_are_four_redraws(fed: Page, budget: Budget) -> None:
    seconds = 4
    redraws, events = fed.evaluate(
        """async seconds => {
          let redraws = 0, events = 0;
          const seen = new MutationObserver(() => redraws += 1);  // called once for all that changed together
          seen.observe(document.querySelector(".run-head .progress-text"), {subtree: true, characterData: true});
          const end = performance.now() + 1000 * seconds;
          while (performance.now() < end) {
            const due = (1000 * seconds - (end - performance.now())) / 20;
            while (events / 2 < due) { window.feedStep(run, ++window.at); events += 2; }
            await new Promise(done => setTimeout(done, 5));
          }
          seen.disconnect();
          return [redraws, events];
        }""",
        seconds,
    )
    assert events >= 90 * seconds
    assert redraws >= seconds
    budget("redraws while 100 events a second come", (redraws - 1) / seconds, unit="a second", most=4)
    expect(fed.locator(".run-head .progress-text")).to_contain_text(f"step {fed.evaluate('window.at')} of 4000")


@pytest.mark.slow
def test_an_hour_of_events_leaves_the_heap_small(fed: Page, budget: Budget) -> None:
    memory = fed.context.new_cdp_session(fed)

    def used() -> float:
        memory.send("HeapProfiler.collectGarbage")
        return float(memory.send("Runtime.getHeapUsage")["usedSize"]) / MEGABYTE

    before = used()
    fed.evaluate("""async () => {
      while (window.at < 3600) {
        for (let n = 0; n < 60; n += 1) window.feedStep(run, ++window.at);
        await new Promise(done => setTimeout(done, 270));  // each bundle is drawn
      }
    }""")
    expect(fed.get_by_role("figure", name="Entropy")).to_contain_text("to step 3,6")
    after = used()
    budget("heap after an hour of events", after, unit="MB", most=200)
    budget("what it grew by", after - before, unit="MB", most=60)
