"""What a service keeps beside runs, as tables; nothing here fetches or prints."""

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from client.display import state_text
from client.models import ApiKey, Checkpoint, GcItem, ReasonInfo, SweepRun
from client.plan_tables import size_of
from client.tables import moment, plain


def sweep_runs(found: Iterable[SweepRun]) -> Table:
    table = plain("id", "name", "state", "changed")
    for run in found:
        changed = ", ".join(f"{path}={value}" for path, value in (run.overrides or {}).items())
        table.add_row(run.id, escape(run.name), state_text(run.state, run.reason), escape(changed))
    return table


def checkpoints(found: Iterable[Checkpoint]) -> Table:
    table = plain("step", "size", "saved", "kept", "names")
    for one in found:
        kept = "pinned" if one.pinned else ""
        table.add_row(str(one.step), size_of(one.bytes), moment(one.created_at), kept, escape(", ".join(one.aliases)))
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


def reasons(found: Iterable[ReasonInfo]) -> Table:
    """`cost` is of the retry budget: a crash takes twice as much without a new checkpoint."""
    table = plain("reason", "state", "cost", "advice")
    for one in found:
        cost = f"{one.cost} or {2 * one.cost}" if one.crash else str(one.cost)
        table.add_row(one.reason, one.state, cost if one.retryable else "", escape(one.advice))
    return table
