"""How likely the expert's tokens were over a window of steps, added up: p by place in the trace."""

from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from runs.record.rollups import LARGEST, history
from runs.tables import ExpertTokensRow
from trapo_core.expert_bins import P_BINS, first_place, p_edges

STEPS = 400  # added up at most; of more, every so many


@dataclass
class TrustRegion:
    """See `api/schemas/guidance.py`."""

    alpha: float | None = None
    from_step: int = 0
    to_step: int = 0
    steps: int = 0
    steps_told: int = 0
    edges: list[float] = field(default_factory=p_edges)
    first_places: list[int] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)
    inside: list[int] = field(default_factory=list)

    def add(self, row: ExpertTokensRow) -> None:
        for place in range(len(self.counts), len(row.counts)):
            self.first_places.append(first_place(place))
            self.counts.append([0] * P_BINS)
            self.inside.append(0)
        for sums, counts in zip(self.counts, row.counts, strict=False):
            sums[:] = map(sum, zip(sums, counts, strict=True))
        for place, inside in enumerate(row.inside):
            self.inside[place] += inside


def trust_region(session: Session, run_id: str, from_step: int, to_step: int | None) -> TrustRegion:
    """Over [from_step, to_step]. A part with another alpha than the window's last step (a change of stages) is left
    out: its `inside` means something else."""
    counts = history(session, run_id).counting(from_step, LARGEST if to_step is None else to_step, ExpertTokensRow)
    wanted = [ExpertTokensRow.run_id == run_id, counts]
    last_step, alpha = session.execute(
        select(ExpertTokensRow.step, ExpertTokensRow.alpha)
        .where(*wanted)
        .order_by(ExpertTokensRow.step.desc())
        .limit(1)
    ).one_or_none() or (None, None)
    if last_step is None:
        return TrustRegion()
    wanted.append(ExpertTokensRow.alpha == alpha)
    size = func.count(), func.min(ExpertTokensRow.step)
    told, first_step = session.execute(select(*size).select_from(ExpertTokensRow).where(*wanted)).one()
    every = -(-told // STEPS)
    found = TrustRegion(alpha=alpha, from_step=first_step, to_step=last_step, steps_told=told)
    query = select(ExpertTokensRow).where(*wanted, (last_step - ExpertTokensRow.step) % every == 0)
    for row in session.scalars(query.order_by(ExpertTokensRow.step)):
        found.add(row)
        found.steps += 1
    return found
