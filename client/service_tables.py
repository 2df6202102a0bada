"""What a service keeps beside runs, as tables; nothing here fetches or prints."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from client.display import state_text
from client.models import (
    ApiKey,
    Checkpoint,
    DatasetInfo,
    GcFailure,
    GcItem,
    ModelInfo,
    ReasonInfo,
    SweepDetail,
    SweepRun,
)
from client.plan_tables import size_of
from client.tables import moment, plain, spec_text


def sweep_runs(found: Iterable[SweepRun]) -> Table:
    table = plain("id", "name", "state", "changed")
    for run in found:
        changed = ", ".join(f"{path}={value}" for path, value in (run.overrides or {}).items())
        table.add_row(run.id, escape(run.name), state_text(run.state, run.reason), escape(changed))
    return table


def sweep_detail(sweep: SweepDetail) -> Iterator[RenderableType]:
    facts = plain("", "")
    facts.show_header = False
    changed = {**sweep.matrix, **({"seed": sweep.seeds} if sweep.seeds else {})}
    values = [(path, escape(", ".join(map(str, several)))) for path, several in changed.items()]
    for name, value in (("sweep", sweep.id), ("name", escape(sweep.name)), ("made", moment(sweep.created_at)), *values):
        facts.add_row(f"[dim]{escape(name)}[/]", value)
    yield facts
    yield ""
    yield sweep_runs(sweep.runs)
    yield ""
    yield spec_text(sweep.spec)


def checkpoints(found: Iterable[Checkpoint]) -> Table:
    table = plain("step", "size", "saved", "kept", "names")
    for one in found:
        kept = "pinned" if one.pinned else ""
        table.add_row(str(one.step), size_of(one.bytes), moment(one.created_at), kept, escape(", ".join(one.aliases)))
    return table


def models(found: Iterable[ModelInfo]) -> Table:
    table = plain("name", "kind", "architecture", "parameters", "size", "from")
    for one in found:
        size = f"[yellow]{escape(one.problem)}[/]" if one.problem else size_of(one.bytes)
        origin = f"step {one.step} of {one.run_id}" if one.run_id else ""
        count = f"{one.parameters / 1e6:,.1f} M" if one.parameters else ""
        table.add_row(escape(one.name), one.kind, escape(one.architecture or ""), count, size, origin)
    return table


def datasets(found: Iterable[DatasetInfo]) -> Table:
    table = plain("name", "format", "problems", "traces", "size", "columns")
    for one in found:
        told = f"[yellow]{escape(one.problem)}[/]" if one.problem else escape(", ".join(one.columns))
        count = "" if one.problems is None else f"{one.problems:,}"
        table.add_row(escape(one.name), one.format or "", count, "yes" if one.traces else "", size_of(one.bytes), told)
    return table


def keys(found: Iterable[ApiKey]) -> Table:
    table = plain("id", "name", "scopes", "made by", "last used", "ends")
    for key in found:
        used, ends = moment(key.last_used_at), moment(key.expires_at)
        table.add_row(key.id, escape(key.name), ", ".join(key.scopes), escape(key.created_by), used or "never", ends)
    return table


def garbage(found: Iterable[GcItem]) -> Table:
    table = plain("kind", "name", "size", "rows", "why")
    for item in found:
        size, rows = size_of(item.bytes) if item.bytes else "", str(item.rows or "")
        table.add_row(item.kind.replace("_", " "), escape(item.name), size, rows, escape(item.why))
    return table


def not_freed(found: Iterable[GcFailure]) -> Table:
    table = plain("kind", "name", "cannot be removed")
    for one in found:
        table.add_row(one.kind.replace("_", " "), escape(one.name), escape(one.why))
    return table


def reasons(found: Iterable[ReasonInfo]) -> Table:
    """`cost` is of the retry budget: a crash takes twice as much without a new checkpoint."""
    table = plain("reason", "state", "cost", "advice")
    for one in found:
        cost = f"{one.cost} or {2 * one.cost}" if one.crash else str(one.cost)
        table.add_row(one.reason, one.state, cost if one.retryable else "", escape(one.advice))
    return table
