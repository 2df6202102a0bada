"""Answers of the service as tables; nothing here fetches or prints."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import RenderableType
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from client.display import state_text
from client.models import Plan, Run, RunDetail, Score, Sweep
from client.progress import ScoreLine, duration, number, percent
from trapo_core.methods import Method

if TYPE_CHECKING:
    from trapo_core.compare import Delta


def page(base_url: str, run_id: str) -> str:
    """The run's page in the dashboard."""
    return f"{base_url}/runs/{run_id}"


def plain(*headings: str) -> Table:
    """A table without lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def runs(found: Iterable[Run]) -> Table:
    table = plain("id", "name", "method", "state", "step", "reward", "guided", "score", "age")
    now = datetime.now(UTC)
    for run in found:
        summary = run.summary
        measured = number(summary.reward_unguided), percent(summary.guided_share), number(summary.score)
        age = duration((now - run.created_at).total_seconds())
        step = f"{run.step}/{run.total_steps}"
        table.add_row(
            run.id, escape(run.name), run.method or run.kind, state_text(run.state, run.reason), step, *measured, age
        )
    return table


def sweeps(found: Iterable[Sweep]) -> Table:
    table = plain("id", "name", "runs", "made")
    for one in found:
        table.add_row(one.id, escape(one.name), _counts(one), moment(one.created_at))
    return table


def standing(one: Run | Sweep) -> str:
    """What became of it after something was asked of it."""
    state = one.state if isinstance(one, Run) else _counts(one)
    if one.deleted_at:
        return f"{state}, deleted"
    if one.archived_at:
        return f"{state}, archived"
    return f"{state}, asked to {one.desired}" if isinstance(one, Run) else state


def _counts(one: Sweep) -> str:
    return ", ".join(f"{count} {state}" for state, count in one.states.items())


def run_detail(run: RunDetail, scores: list[Score]) -> Iterator[RenderableType]:
    facts = plain("", "")
    facts.show_header = False
    for name, value in _facts(run):
        facts.add_row(f"[dim]{name}[/]", value)
    yield facts
    if scores:
        yield ""
        yield score_table(scores)
    yield ""
    yield spec_text(run.spec)


def spec_text(spec: dict[str, Any]) -> Syntax:
    return Syntax(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True), "yaml", background_color="default")


def _facts(run: RunDetail) -> Iterator[tuple[str, str]]:
    yield "run", run.id
    yield "name", escape(run.name)
    yield "method", run.method or run.kind
    yield "state", state_text(run.state, run.reason)
    if run.priority:
        yield "priority", str(run.priority)
    if run.desired != "run" and run.ended_at is None:
        yield "asked to", run.desired
    if run.message or run.advice:
        yield "because", escape(" ".join(part for part in (run.message, run.advice) if part))
    yield "step", f"{run.step} of {run.total_steps}, attempt {run.attempts}"
    if run.progress:
        yield "doing", f"{run.progress.stage} {run.progress.done}/{run.progress.total}"
    yield "unguided reward", number(run.summary.reward_unguided)
    yield "guided share", percent(run.summary.guided_share)
    for name, when in (("created", run.created_at), ("started", run.started_at), ("ended", run.ended_at)):
        if when:
            yield name, moment(when)
    if run.tags:
        yield "tags", ", ".join(run.tags)
    if run.notes:
        yield "notes", escape(run.notes)


def score_table(scores: Iterable[Score | ScoreLine]) -> Table:
    table = plain("step", "benchmark", "metric", "score", "interval", "problems", "samples")
    for score in scores:
        interval = rf"\[{score.low:.3f}, {score.high:.3f}] at {100 * score.confidence:g} %"
        table.add_row(
            str(score.step),
            escape(score.benchmark),
            score.metric,
            f"{score.score:.3f}",
            interval,
            str(score.problems),
            str(score.samples),
        )
    return table


def delta_table(deltas: "Iterable[Delta]") -> Table:
    """How much better, in points of a share: above zero is better."""
    table = plain("benchmark", "metric", "delta", "interval", "problems", "samples")
    for delta in deltas:
        interval = rf"\[{delta.low:+.3f}, {delta.high:+.3f}] at {100 * delta.confidence:g} %"
        counts = str(delta.problems), str(delta.samples)
        table.add_row(escape(delta.benchmark), delta.metric, f"{delta.delta:+.3f}", interval, *counts)
    return table


def plans(found: Iterable[Plan]) -> Table:
    table = plain("name", "method", "steps", "samples per step", "sampled tokens, at most")
    for plan in found:
        method = str(plan.spec.get("method", plan.spec["kind"]))
        name = escape(str(plan.spec.get("name", "")))
        table.add_row(
            name, method, str(plan.total_steps), f"{plan.samples_per_step:,}", f"{plan.sampled_tokens_at_most:,}"
        )
    return table


def methods(found: Iterable[Method]) -> Table:
    table = plain("method", "what it is", "arXiv")
    for method in found:
        table.add_row(method.name, method.summary, method.paper)
    return table


def moment(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when else ""
