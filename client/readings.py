"""Calls that look at single samples and problems of a run; `Client` has them."""

from typing import Any, Literal, Protocol, Self, TypeVar
from urllib.parse import quote

from client.connection import Connection
from client.frames import Rows
from client.reading_models import (
    EvaluatedProblem,
    EvaluatedProblems,
    Groups,
    Rollout,
    RolloutDetail,
    TrainedProblems,
    TrustRegion,
    Verdict,
)


class Paged(Protocol):
    """A page of a list that says more than its items."""

    @property
    def data(self) -> list[Any]: ...

    @property
    def next_cursor(self) -> str | None: ...

    @classmethod
    def model_validate(cls, obj: Any) -> Self: ...

    def model_copy(self, *, update: dict[str, Any]) -> Self: ...


Pages = TypeVar("Pages", bound=Paged)


class Readings(Connection):
    def rollouts(self, run_id: str, limit: int = 50, **wanted: Any) -> Rows[Rollout]:
        """Newest step first, texts cut; `wanted` are step, slot, guided, problem, contains, matches and the others of
        docs/rest.md."""
        return Rows(self.pages(Rollout, f"/runs/{run_id}/rollouts", limit, _given(wanted)))

    def rollout(self, run_id: str, rollout: str) -> RolloutDetail:
        """One of them by its id, with its whole texts and what is known of each token."""
        return self.one(RolloutDetail, "GET", f"/runs/{run_id}/rollouts/{rollout}")

    def groups(self, run_id: str, limit: int = 50, **wanted: Any) -> Groups:
        """Whole groups with a rollout that matches, newest step first; `wanted` are verdict and those of `rollouts`.
        `kept` says which steps have rollouts."""
        return self._together(Groups, f"/runs/{run_id}/groups", limit, 200, wanted)

    def problems(
        self, run_id: str, limit: int = 50, *, sort: str = "-help", contains: str | None = None, visits: int = 24
    ) -> TrainedProblems:  # fmt: skip
        """Problems of the training set, those that need most help of late first, each with its last `visits`."""
        wanted = {"sort": sort, "contains": contains, "visits": visits}
        return self._together(TrainedProblems, f"/runs/{run_id}/problems", limit, 100, wanted)

    def trust_region(self, run_id: str, from_step: int = 0, to_step: int | None = None) -> TrustRegion:
        """Expert tokens by their probability and their place in the trace."""
        params = _given({"from_step": from_step, "to_step": to_step})
        return self.one(TrustRegion, "GET", f"/runs/{run_id}/trust-region", params=params)

    def evaluation(
        self,
        run_id: str,
        step: int,
        benchmark: str,
        limit: int = 50,
        *,
        verdict: Verdict | None = None,
        change: Literal["any", "better", "worse"] | None = None,
        contains: str | None = None,
    ) -> EvaluatedProblems:
        """What was answered, by problem, in the benchmark's order; `scores` says which evaluations there are. Long
        texts are cut; `evaluated_problem` has them whole."""
        wanted = {"verdict": verdict, "change": change, "contains": contains}
        return self._together(EvaluatedProblems, _evaluation(run_id, step, benchmark), limit, 50, wanted)

    def evaluated_problem(self, run_id: str, step: int, benchmark: str, place: int) -> EvaluatedProblem:
        """A problem by its place in the benchmark, with its whole texts."""
        return self.one(EvaluatedProblem, "GET", f"{_evaluation(run_id, step, benchmark)}/{place}")

    def _together(self, model: type[Pages], path: str, limit: int, most: int, wanted: dict[str, Any]) -> Pages:
        """Page after page as one, up to `limit` items; `most` may be asked for at once. What is said beside the items
        is as the first page says."""
        first: Pages | None = None
        data: list[Any] = []
        cursor: str | None = None
        while True:
            params = _given({**wanted, "limit": min(limit - len(data), most), "cursor": cursor})
            found = model.model_validate(self.send("GET", path, params=params).json())
            first, cursor = first or found, found.next_cursor
            data += found.data
            if cursor is None or len(data) >= limit:
                return first.model_copy(update={"data": data, "next_cursor": cursor})


def _evaluation(run_id: str, step: int, benchmark: str) -> str:
    return f"/runs/{run_id}/evaluations/{step}/{quote(benchmark, safe='')}"


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
