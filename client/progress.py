"""Events in, what a person wants to know out. Nothing here prints; `display.py` draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

WINDOW = 10


@dataclass(frozen=True)
class ScoreLine:
    """A benchmark score with its interval, measured after `step` steps."""

    step: int
    benchmark: str
    metric: str
    score: float
    low: float
    high: float
    confidence: float
    problems: int
    samples: int


@dataclass
class RunView:
    """One run, folded from its events. `state` is as the service says; without a service, as the process ended."""

    run_id: str
    name: str
    total_steps: int
    state: str = "queued"
    reason: str | None = None
    message: str = ""
    stage: str = "queued"
    done: int = 0
    total: int = 0
    stage_since: datetime | None = None
    stage_from: int = 0
    now: datetime | None = None
    step_seconds: dict[int, float] = field(default_factory=dict)
    rewards: dict[int, float] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)
    scores: dict[tuple[str, str, int], ScoreLine] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, kind: str, ts: datetime, data: Mapping[str, Any]) -> None:
        """Fold one event in. Kinds that say nothing about progress change nothing."""
        self.now = ts
        if (fold := _FOLDS.get(kind)) is not None:
            fold(self, data)

    def enter(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage or done < self.done:
            self.stage, self.stage_since, self.stage_from = stage, self.now, done
        self.done, self.total = done, total


# ------------------------------------------------------------------------------------------------------------ folding


def _attempt_started(view: RunView, data: Mapping[str, Any]) -> None:
    """A new attempt supersedes everything above the step it resumes from."""
    kept = data["resumed_from_step"]  # -1 where there is nothing to resume from
    view.total_steps = data["total_steps"]
    view.state, view.reason, view.message = "running", None, ""
    for series in (view.step_seconds, view.rewards, view.shares):
        for step in [step for step in series if step > kept]:
            del series[step]
    view.scores = {key: score for key, score in view.scores.items() if score.step <= kept}
    view.enter("preparing", 0, 0)


def _progress(view: RunView, data: Mapping[str, Any]) -> None:
    view.enter(data["stage"], data["done"], data["total"])


def _step(view: RunView, data: Mapping[str, Any]) -> None:
    step, metrics = data["step"], data["metrics"]
    view.step_seconds[step] = float(data["seconds"])
    for key, series in (("reward/unguided", view.rewards), ("guided/share", view.shares)):
        if key in metrics:
            series[step] = float(metrics[key])
    view.enter("training", step, view.total_steps)


def _score(view: RunView, data: Mapping[str, Any]) -> None:
    line = ScoreLine(**{name: data[name] for name in ScoreLine.__dataclass_fields__})
    view.scores[line.benchmark, line.metric, line.step] = line


def _run_state(view: RunView, data: Mapping[str, Any]) -> None:
    view.state, view.reason = data["state"], data.get("reason")
    view.message = data.get("message") or ""
    if view.state in ("queued", "starting"):
        view.enter(view.state, 0, 0)


def _message(view: RunView, data: Mapping[str, Any]) -> None:
    if data["level"] != "info":
        view.notes.append(data["text"])


def _ended(view: RunView, data: Mapping[str, Any]) -> None:
    view.state = {"stopped": "paused"}.get(data["outcome"], data["outcome"])
    view.reason, view.message = data.get("reason"), data.get("message") or ""


_FOLDS = {
    "attempt_started": _attempt_started,
    "progress": _progress,
    "step": _step,
    "score": _score,
    "run_state": _run_state,
    "message": _message,
    # Without a service this is the run's end; with one, `run_state` follows and has the last word.
    "ended": _ended,
}


# ---------------------------------------------------------------------------------------------------------- summaries


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def first_mean(series: Mapping[int, float]) -> float | None:
    """Mean of the first ten steps."""
    return mean([series[step] for step in sorted(series)[:WINDOW]])


def last_mean(series: Mapping[int, float]) -> float | None:
    """Mean of the last ten steps."""
    return mean([series[step] for step in sorted(series)[-WINDOW:]])


def seconds_left(view: RunView) -> float | None:
    """Of the present stage: from the last steps' pace, else from the stage's own; None while unknown."""
    if view.stage == "training":
        pace = last_mean(view.step_seconds)
        return None if pace is None else pace * (view.total - view.done)
    done = view.done - view.stage_from
    if done <= 0 or view.stage_since is None or view.now is None:
        return None
    return (view.now - view.stage_since).total_seconds() / done * (view.total - view.done)


def final_scores(view: RunView) -> list[ScoreLine]:
    """The latest score of each benchmark and metric."""
    return [last for _, last in first_and_last_scores(view)]


def first_and_last_scores(view: RunView) -> list[tuple[ScoreLine, ScoreLine]]:
    """For each benchmark and metric; the same line twice where it was measured once."""
    found: dict[tuple[str, str], tuple[ScoreLine, ScoreLine]] = {}
    for line in sorted(view.scores.values(), key=lambda line: line.step):
        first, _ = found.get((line.benchmark, line.metric), (line, line))
        found[line.benchmark, line.metric] = (first, line)
    return list(found.values())


def milestone(view: RunView) -> tuple[str, int]:
    """Changes when a reader of plain lines should hear of it: a new stage or state, and each tenth of a stage."""
    tenths = 10 * view.done // view.total if view.total else 0
    return _standing(view), tenths


def result(view: RunView) -> dict[str, Any]:
    """What a script wants to know of a run in the end."""
    return {
        "id": view.run_id,
        "name": view.name,
        "state": view.state,
        "reason": view.reason,
        "message": view.message,
        "steps": max(view.step_seconds, default=0),
        "reward_unguided": {"first": first_mean(view.rewards), "last": last_mean(view.rewards)},
        "guided_share": {"first": first_mean(view.shares), "last": last_mean(view.shares)},
        "scores": [vars(line) for line in final_scores(view)],
    }


# -------------------------------------------------------------------------------------------------------------- words


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def change(first: str, last: str) -> str:
    return "–" if first == last == "–" else f"{first} → {last}"


def duration(seconds: float | None) -> str:
    """Such as 42 s, 3:05 or 1:02:09; empty when unknown."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def score_words(first: ScoreLine, last: ScoreLine) -> str:
    """Such as `math avg@4 0.204 → 0.412 [0.371, 0.455]`; the interval is the last score's."""
    scores = f"{last.score:.3f}" if first.step == last.step else f"{first.score:.3f} → {last.score:.3f}"
    return f"{last.benchmark} {last.metric} {scores} [{last.low:.3f}, {last.high:.3f}]"


def headline(view: RunView) -> str:
    """`training 120/300`, or the state of a run that is not running."""
    standing = _standing(view)
    return f"{standing} {view.done}/{view.total}" if view.total and standing == view.stage else standing


def _standing(view: RunView) -> str:
    """One word or two: the stage of a run that runs, else its state."""
    if view.state in ("running", "starting"):
        return view.stage
    return f"{view.state} ({view.reason})" if view.state == "failed" and view.reason else view.state


def plain_line(view: RunView) -> str:
    """The whole line, for a log: only what is known."""
    parts = [headline(view)]
    if view.rewards:
        parts.append(f"unguided reward {number(last_mean(view.rewards))}")
    if view.shares:
        parts.append(f"guided {percent(last_mean(view.shares))}")
    if view.state == "running" and (left := duration(seconds_left(view))):
        parts.append(f"{left} left")
    return f"{view.name}: {', '.join(parts)}"
