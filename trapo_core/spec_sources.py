"""What a spec names, each with its JSON pointer: its data sources, and of the Hub what is not named by a commit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from trapo_core.sources import DataSource, FileData, HubModel
from trapo_core.spec import EvalSpec, TrainSpec
from trapo_core.spec_parts import Benchmark

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubSource:
    """A repository of the Hub, as the part of a spec at `pointer` names it."""

    pointer: str
    kind: Literal["model", "dataset"]
    id: str
    revision: str

    @property
    def pinned(self) -> bool:
        """Branches and tags move; a commit stays."""
        return COMMIT.fullmatch(self.revision) is not None

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{'datasets/' if self.kind == 'dataset' else ''}{self.id}"


def benchmarks(spec: TrainSpec | EvalSpec) -> tuple[Benchmark, ...]:
    return spec.benchmarks if isinstance(spec, EvalSpec) else spec.evaluation.benchmarks


def data_sources(spec: TrainSpec | EvalSpec) -> Iterator[tuple[str, DataSource]]:
    if isinstance(spec, TrainSpec):
        yield "/data", spec.data
        if spec.demonstrations and spec.demonstrations.data:
            yield "/demonstrations/data", spec.demonstrations.data
    prefix = "/benchmarks" if isinstance(spec, EvalSpec) else "/evaluation/benchmarks"
    for index, benchmark in enumerate(benchmarks(spec)):
        yield f"{prefix}/{index}/data", benchmark.data


def hub_sources(spec: TrainSpec | EvalSpec) -> Iterator[HubSource]:
    if isinstance(spec.model, HubModel):
        yield HubSource("/model", "model", spec.model.id, spec.model.revision)
    for pointer, source in data_sources(spec):
        if isinstance(source, FileData) and source.hub:
            yield HubSource(pointer, "dataset", source.hub, source.revision)
