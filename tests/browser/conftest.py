"""A real service and a real Chromium. Runs are told by `Story`: events written as a training process writes them, and
read into the database by the same ingest that a worker uses."""

import math
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import Engine

from runs.db import make_engine, writing
from runs.files import log_path
from runs.life.leases import Lease, Worker, claim, finish
from runs.record.ingest import ingest
from runs.settings import REPOSITORY, Settings
from trapo_core import events
from trapo_core.expert_bins import P_BINS

CHROMIUM = os.environ.get("TRAPO_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TIMED = ("s", "ms", "frames/s")
# Every page that the tests of quality visit, as {name: path}; `{run}` is the run that `whole` tells.
PLACES = {
    "runs": "/",
    "run-overview": "/runs/{run}",
    "run-guidance": "/runs/{run}/guidance",
    "run-rollouts": "/runs/{run}/rollouts?step=2&rollout=2-0",
    "run-evaluations": "/runs/{run}/evaluations",
    "run-checkpoints": "/runs/{run}/checkpoints",
    "run-logs": "/runs/{run}/logs",
    "run-events": "/runs/{run}/events",
    "run-spec": "/runs/{run}/spec",
    "compare": "/compare?run={run}",
    "benchmarks": "/benchmarks",
    "system": "/system",
    "new": "/new",
    "new-method": "/new?method=trapo",
    "missing": "/no/such/page",
}
RATIOS = (0.0, 0.2, 0.5, 1.0)
SIZES = (4, 2, 1, 1)


@dataclass
class Service:
    """A running api, its admin key, and the database behind it."""

    url: str
    key: str
    engine: Engine
    settings: Settings

    def post(self, path: str, body: Any = None) -> Any:
        answer = httpx.post(
            f"{self.url}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self.key}"}, timeout=20
        )
        answer.raise_for_status()
        return answer.json()

    def login_link(self) -> str:
        return str(self.post("/login-links")["url"])

    def let_in(self, context: BrowserContext, key: str | None = None) -> BrowserContext:
        """A session of its own, as the login page opens it; for an admin, unless a key says otherwise."""
        answer = httpx.post(f"{self.url}/api/v1/sessions", json={"api_key": key or self.key}, timeout=20)
        cookies = [{"name": name, "value": value, "url": self.url} for name, value in answer.cookies.items()]
        context.add_cookies(cookies)  # type: ignore[arg-type]
        return context


class Story:
    """One training run, told step by step. Figures are made up but of the right shape."""

    def __init__(self, service: Service, *, name: str, method: str = "trapo", steps: int = 40) -> None:
        spec = {
            "kind": "train", "name": name, "method": method, "steps": steps, "prompts_per_step": 8,
            "model": {"source": "small_world"}, "data": {"format": "small_world"}, "sampling": {"max_tokens": 64},
        }  # fmt: skip
        self.service, self.method, self.steps, self.at, self.attempt = service, method, steps, 0, 0
        self.id = str(service.post("/runs", spec)["id"])
        self.lease: Lease | None = None
        self.random = random.Random(7)

    def start(self, resumed_from: int = 0) -> "Story":
        """Claimed by a worker; the process says hello."""
        with writing(self.service.engine) as session:
            self.lease = claim(session, self.id, Worker("browser-test", "here", 0), 600)
        assert self.lease is not None
        self.attempt, self.at = self.lease.attempt, resumed_from
        self.tell(
            events.AttemptStarted(attempt=self.attempt, resumed_from_step=resumed_from, total_steps=self.steps, pid=1)
        )
        return self

    def step(self, times: int = 1, reward: float | None = None) -> "Story":
        told: list[Any] = []
        for _ in range(times):
            self.at += 1
            slots = self.slots()
            first = slots[0]
            metrics = {
                "reward/unguided": first.unguided_reward / first.unguided if reward is None else reward,
                "guided/share": sum(s.guided for s in slots) / sum(s.guided + s.unguided for s in slots),
            }
            counts = [sum(s.unguided for s in slots), 0, 0, 0, 0]
            for place, slot in enumerate(slots[1:], 1):
                counts[place] += slot.guided
            lengths = events.PrefixLengths(bin_tokens=8, counts=counts)
            told += [
                events.StepDone(step=self.at, seconds=0.5, metrics=metrics),
                events.GuidanceDone(step=self.at, slots=slots, prefix_lengths=lengths),
            ]
        self.tell(*told)
        return self

    def slots(self) -> list[events.SlotOutcome]:
        skill = 0.1 + 0.6 * self.at / self.steps
        if self.method == "grpo":
            return [
                events.SlotOutcome(
                    slot=0, ratio=0.0, guided=0, guided_reward=0, unguided=64, unguided_reward=round(64 * skill)
                )
            ]
        slots = []
        for place, (ratio, size) in enumerate(zip(RATIOS, SIZES, strict=True)):
            guided = 0 if place == 0 else size * sum(self.random.random() > skill for _ in range(8))
            unguided = 8 * size - guided
            slots.append(
                events.SlotOutcome(
                    slot=place,
                    ratio=ratio,
                    guided=guided,
                    guided_reward=round(guided * min(1, skill + ratio)),
                    unguided=unguided,
                    unguided_reward=round(unguided * skill),
                )
            )
        return slots

    def score(self, value: float, *, problems: int = 200) -> "Story":
        for metric, shift in (("avg@4", 0.0), ("pass@4", 0.2)):
            score = min(1.0, value + shift)
            width = 1 / math.sqrt(problems)
            self.tell(
                events.BenchmarkScore(
                    step=self.at,
                    benchmark="chains",
                    metric=metric,
                    score=score,
                    low=max(0.0, score - width),
                    high=min(1.0, score + width),
                    confidence=0.95,
                    interval="cluster_bootstrap",
                    problems=problems,
                    samples=4,
                )
            )
        return self

    def rollouts(self, step: int, rows: list[dict[str, Any]]) -> "Story":
        """The file of a step, as the training process writes it."""
        from trapo_core.rollout_schema import SCHEMA  # noqa: PLC0415

        folder = self.service.settings.run_dir(self.id) / "rollouts"
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist([{"step": step} | row for row in rows], SCHEMA)
        pq.write_table(table, folder / f"step-{step:06d}.parquet", compression="zstd")
        return self

    def whole(self, text: str = "") -> "Story":
        """Something of everything that a page can show; `text` stands wherever others' text can."""
        headers = {"Authorization": f"Bearer {self.service.key}"}
        labels = {"tags": ["seed-7"], "notes": f"The first that learned. {text}".strip()}
        httpx.patch(f"{self.service.url}/api/v1/runs/{self.id}", json=labels, headers=headers).raise_for_status()
        self.start().score(0.1)
        told: list[Any] = [events.Message(level="warning", text=f"The cache is cold. {text}")]
        for _ in range(24):
            self.at += 1
            told += self.whole_step(text)
            if self.at % 8 == 0:
                path = f"checkpoints/{self.at}"
                (self.service.settings.run_dir(self.id) / path).mkdir(parents=True)
                told.append(events.CheckpointSaved(step=self.at, path=path, bytes=70_000, sha256="ab" * 32))
        told.append(events.StepSkipped(step=self.at, in_a_row=1, message=f"The loss is not finite. {text}"))
        self.tell(*told)
        for step in (1, 2):
            self.rollouts(step, [whole_sample(f"chains-{n % 3}{text}", n, text) for n in range(6)])
        log = log_path(self.service.settings.run_dir(self.id), self.attempt)
        log.parent.mkdir(exist_ok=True)
        log.write_text("".join(f"step {n} {text}\n" for n in range(60)))
        return self.score(0.4)

    def whole_step(self, text: str = "") -> list[Any]:
        """One step with all that a training process measures."""
        done, noise = self.at / self.steps, self.random.gauss(0, 0.04)
        slots = self.slots()
        metrics = {
            "reward/unguided": min(1, max(0, 0.1 + 0.6 * done + noise)), "guided/share": max(0.01, 0.5 - 0.4 * done),
            "completion/tokens_mean": 40 - 12 * done + 40 * noise, "completion/tokens_p10": 18 - 4 * done,
            "completion/tokens_p90": 60 - 16 * done, "completion/truncated_share": max(0, 0.2 - 0.2 * done),
            "policy/entropy": 0.9 - 0.5 * done + noise, "sampler/kl": 0.001 + abs(noise) / 100,
            "expert/p_mean": 0.5 + 0.3 * done + noise, "expert/inside_trust_region": 0.8 + 0.15 * done,
            "policy/grad_norm": 0.3 * math.exp(8 * noise), "steps/skipped": self.at // 17,
            "throughput/tokens_per_s": 4000 + 9000 * noise, "time/rollout_s": 0.3 + noise / 4,
            "time/reward_s": 0.02, "time/update_s": 0.15, "engine/sampled_tokens": 2000 + 4000 * noise,
        }  # fmt: skip
        counts = [sum(s.unguided for s in slots), *(s.guided for s in slots[1:])]
        names = [f"chains-{n}{text}"[:64] for n in range(4)]
        ratios = [[r if n > 1 else 0.0 for r in RATIOS] for n in range(4)]
        rewards = [[float(self.random.randint(0, size)) for size in SIZES] for _ in names]
        bins = [[self.random.randint(0, 9) for _ in range(P_BINS)] for _ in range(5)]
        return [
            events.StepDone(step=self.at, seconds=0.5, metrics=metrics),
            events.GuidanceDone(
                step=self.at,
                slots=slots,
                prefix_lengths=events.PrefixLengths(bin_tokens=8, counts=counts, rewards=[c / 2 for c in counts]),
                problems=events.ProblemOutcomes(
                    samples=list(SIZES), ids=names, ratios=ratios, rewards=rewards,
                    texts={name: f"Start with 7, add {name}. {text}" for name in names} if self.at == 1 else {},
                ),
                expert_tokens=events.ExpertTokens(alpha=0.1, counts=bins, inside=[sum(row[9:]) for row in bins]),
            ),
        ]  # fmt: skip

    def tell(self, *told: Any) -> None:
        assert self.lease is not None
        run_dir = self.service.settings.run_dir(self.id)
        run_dir.mkdir(parents=True, exist_ok=True)
        writer = events.EventWriter(run_dir)
        for event in told:
            writer(event)
        writer.close()
        ingest(self.service.engine, self.lease, run_dir)

    def end(self, reason: str | None = None, message: str = "") -> "Story":
        assert self.lease is not None
        with writing(self.service.engine) as session:
            finish(session, self.lease, self.service.settings, reason=reason, message=message)
        return self


def whole_sample(problem: str, number: int, text: str) -> dict[str, Any]:
    """A row of a file of rollouts; a word is a token."""
    prefix, completion = ("First the " if number == 5 else ""), f"sum is 4. Therefore #4$ {text}"
    words = [f"{word} " for word in (prefix + completion).split(" ") if word]
    right = number % 2 == 0
    return {
        "problem": problem, "slot": 0 if number < 5 else 1, "sample": number % 5, "ratio": 0.2 if prefix else 0.0,
        "reward": float(right), "outcome": "right" if right else "wrong", "detail": f"read '#5$' {text}",
        "advantage": 0.5 if right else -0.5, "finish": "stop", "prompt": f"What is 2 + 2? {text}", "answer": "4",
        "prefix": prefix, "completion": "".join(words)[len(prefix) :], "prefix_tokens": len(prefix.split()),
        "token_ids": list(range(len(words))), "logps": [-0.1 * (n % 9) for n in range(len(words))],
        "entropies": [0.3 * (n % 7) for n in range(len(words))], "lengths": [len(word) for word in words],
    }  # fmt: skip


@pytest.fixture(scope="session")
def places() -> dict[str, str]:
    return PLACES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `place` is run on every page."""
    if "place" in metafunc.fixturenames:
        metafunc.parametrize("place", [pytest.param(path, id=name) for name, path in PLACES.items()])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Service]:
    """`python -m api` on a free port with a home of its own: the runs of one file do not show in another's lists."""
    if not (REPOSITORY / "frontend" / "dist" / "index.html").is_file():
        pytest.skip("the dashboard is not built: npm ci && npm run build in frontend/")
    home = tmp_path_factory.mktemp("browser-home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(_env_file=None, home=home, port=port)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRAPO_")}
    env = clean | {
        "TRAPO_HOME": str(home),
        "TRAPO_PORT": str(port),
        "TRAPO_REDIS_URL": f"redis+socket://{home}/no-redis.sock",
    }
    shutil.copyfile(migrated_file, home / "trapo.db")
    with (home / "api.log").open("wb") as log:
        api = subprocess.Popen([sys.executable, "-m", "api"], env=env, cwd=REPOSITORY, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    _until_ready(url, api, home / "api.log")
    engine = make_engine(settings.database_url)
    yield Service(url, (home / "admin-key").read_text().strip(), engine, settings)
    engine.dispose()
    api.terminate()
    api.wait(20)


@pytest.fixture(scope="module")
def tell(served: Service) -> Callable[..., Story]:
    """A new run, ready to be told."""
    return lambda **values: Story(served, **values)


@pytest.fixture(scope="module")
def whole(tell: Callable[..., Story]) -> Story:
    return tell(name="all there is").whole()


def _until_ready(url: str, api: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert api.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/readyz").status_code in (200, 503):
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the api does not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine; set TRAPO_CHROMIUM to one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", accept_downloads=True)
    yield made
    made.close()


@pytest.fixture
def page(served: Service, context: BrowserContext) -> Iterator[Page]:
    """A tab that is logged in. What the page's code throws, or the content policy blocks, fails the test."""
    tab = served.let_in(context).new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None)
    yield tab
    assert wrong == []


@pytest.fixture
def budget(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Holds figures to a budget and tells them when all tests are over. Of several the best counts, and times have as
    much room as processes wait for each core: other work on the machine is not what is measured."""

    def hold(what: str, *figures: float, unit: str, most: float | None = None, least: float | None = None) -> None:
        crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)) if unit in TIMED else 1.0
        told = " ".join(f"{figure:,.4g}" for figure in figures)
        limit = f"≤ {most:g}" if most is not None else f"≥ {least:g}"
        request.node.user_properties.append(("budget", f"{what}: {told} {unit} ({limit}, load ×{crowd:.1f})"))
        if most is not None:
            assert min(figures) <= most * crowd, f"{what} took {told} {unit}"
        if least is not None:
            assert max(figures) >= least / crowd, f"{what} gave {told} {unit}"

    return hold


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    told = [text for report in reports if report.when == "call" for name, text in report.user_properties]
    if told:
        terminalreporter.section("budgets")
        terminalreporter.line("\n".join(told))
