"""How much a spec samples, reads and trains, before anything starts: bounds, and what to expect.

Bounds follow from the spec. Expected figures assume lengths that nobody knows before; the constants say which.
A bound is on samples that are kept: a speculative schedule may draw one more for each guided one and give it up.
"""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from trapo_core import arithmetic
from trapo_core.benchmarks import problems_known
from trapo_core.knobs import ChunksRatio, Cosine, Slot, UniformRatio
from trapo_core.sources import DataSource, SmallWorldData
from trapo_core.spec import EvalSpec, TrainSpec
from trapo_core.spec_parts import Benchmark
from trapo_core.stage import Stage

# Tokens of a prompt with its template, where the text is not looked at: competition problems have 100 to 300.
PROMPT_TOKENS = 256
# A completion, as a share of its limit: about 2,500 of 8,192 tokens, as reasoning models of 7B begin.
COMPLETION_SHARE = 0.3
# An expert trace, as a share of the limit: data is filtered to fit it.
TRACE_SHARE = 0.5
# How often a slot that depends on earlier rewards is guided.
GUIDED_SHARE = 0.5


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tokens(Frozen):
    """Tokens, as expected and at most."""

    expected: int
    at_most: int

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(expected=self.expected + other.expected, at_most=self.at_most + other.at_most)

    def times(self, count: int) -> "Tokens":
        return Tokens(expected=self.expected * count, at_most=self.at_most * count)


NONE = Tokens(expected=0, at_most=0)


class StageWork(Frozen):
    """A stage of training, by the step."""

    name: str
    steps: int
    prompts_per_step: int
    samples_per_step: int = Field(description="Responses that are learned from, whole expert traces among them.")
    sampled: Tokens = Field(description="Tokens that the model draws in a step.")
    trained: Tokens = Field(description="Prompt and response tokens in the update of a step; shared ones counted once "
                            "in what is expected.")  # fmt: skip
    prefixes: Tokens = Field(description="Prompt and expert tokens that the engine reads in a step, each once.")
    epochs: float | None = Field(description="Passes over the training data; null where its size is not known.")


class Workload(Frozen):
    """A whole run. `evaluation` is what all its evaluations draw, without the benchmarks in `not_counted`, whose
    number of problems is not known."""

    stages: tuple[StageWork, ...]
    evaluations: int = Field(description="How often any benchmark is scored.")
    evaluation: Tokens
    not_counted: tuple[str, ...]

    @property
    def sampled(self) -> Tokens:
        """In all steps and evaluations."""
        return sum((stage.sampled.times(stage.steps) for stage in self.stages), self.evaluation)


def workload(spec: TrainSpec | EvalSpec) -> Workload:
    counts = list(_evaluations(spec))
    known = [(benchmark, times, problems_of(benchmark.data)) for benchmark, times in counts]
    return Workload(
        stages=tuple(_stage_work(spec, stage) for stage in spec.stages()) if isinstance(spec, TrainSpec) else (),
        evaluations=sum(times for _, times in counts),
        evaluation=sum((_benchmark_tokens(b, size or 0).times(times) for b, times, size in known), NONE),
        not_counted=tuple(benchmark.name for benchmark, _, size in known if size is None),
    )


def longest_prompt(data: DataSource) -> int:
    """Tokens of the longest prompt: exact for the small world, else the assumed one."""
    if not isinstance(data, SmallWorldData):
        return PROMPT_TOKENS
    # A chain is ^s7b*8j-2?, a fact ^RDH?.
    return 5 if data.task == "facts" else 4 + 3 * data.max_ops


def problems_of(data: DataSource) -> int | None:
    """How many problems there are, as far as that is known without reading a file; a limit counts as met."""
    if not isinstance(data, SmallWorldData):
        known = problems_known(data.path)
        return min((n for n in (known, data.limit) if n is not None), default=None)
    return min(data.problems, len(arithmetic.facts(data.seed))) if data.task == "facts" else data.problems


def samples_anything(slot: Slot) -> bool:
    """A slot that always gets the whole trace samples nothing."""
    return not (slot.when == "always" and slot.ratio == 1.0)


# -------------------------------------------------------------------------------------------------------- training


def _stage_work(spec: TrainSpec, stage: Stage) -> StageWork:
    limit, prompt, prompts = spec.sampling.max_tokens, longest_prompt(spec.data), stage.prompts_per_step
    slots = stage.guidance.slots
    most_rolled = int(prompts * (1 + (stage.refill.max_extra_share if stage.refill else 0.0)))
    shown = stage.demonstrations.prompts_per_step if stage.demonstrations else 0
    group = stage.guidance.samples_per_group
    sampled = sum(slot.n * _expected_completion(slot, limit) for slot in slots)
    prefix = sum(slot.n * _expected_prefix(slot, limit) for slot in slots)
    trace = TRACE_SHARE * limit
    longest = max(_guided(slot) * _mean_ratio(slot) for slot in slots) * trace
    drawing = sum(slot.n for slot in slots if samples_anything(slot))
    size = problems_of(spec.data)
    return StageWork(
        name=stage.name,
        steps=stage.steps,
        prompts_per_step=prompts,
        samples_per_step=prompts * group + shown,
        sampled=Tokens(expected=round(prompts * sampled), at_most=most_rolled * drawing * limit),
        trained=Tokens(
            expected=round(prompts * (prompt + sampled + prefix) + shown * (prompt + trace)),
            at_most=(most_rolled * group + shown) * (prompt + limit),
        ),
        prefixes=Tokens(
            expected=round(prompts * (prompt + longest)) if drawing else 0,
            at_most=most_rolled * (prompt + (limit if stage.guidance.needs_traces else 0)) if drawing else 0,
        ),
        epochs=stage.steps * prompts / size if size else None,
    )


def _expected_completion(slot: Slot, limit: int) -> float:
    """With a prefix, the rest of a completion of usual length."""
    return COMPLETION_SHARE * limit * (1 - _guided(slot) * _mean_ratio(slot))


def _expected_prefix(slot: Slot, limit: int) -> float:
    return TRACE_SHARE * limit * _guided(slot) * _mean_ratio(slot)


def _guided(slot: Slot) -> float:
    return {"never": 0.0, "always": 1.0, "mean_below": GUIDED_SHARE}[slot.when]


def _mean_ratio(slot: Slot) -> float:
    match slot.ratio:
        case UniformRatio(low=low, high=high):
            return (_mean(low) + high) / 2
        case ChunksRatio(p=p):
            return _mean(p)
    return slot.ratio


def _mean(curve: float | Cosine) -> float:
    """Half a cosine spends as long above its middle as below."""
    return (curve.start + curve.end) / 2 if isinstance(curve, Cosine) else curve


# ------------------------------------------------------------------------------------------------------ evaluation


def _evaluations(spec: TrainSpec | EvalSpec) -> Iterator[tuple[Benchmark, int]]:
    """Each benchmark and how often it is scored (`spec.Evaluation.due`)."""
    if isinstance(spec, EvalSpec):
        yield from ((benchmark, 1) for benchmark in spec.benchmarks)
        return
    settings = spec.evaluation
    for benchmark in settings.benchmarks:
        every = settings.every_steps if benchmark.every_steps is None else benchmark.every_steps
        between = (spec.total_steps - 1) // every if every else 0
        yield benchmark, between + settings.at_start + 1


def _benchmark_tokens(benchmark: Benchmark, problems: int) -> Tokens:
    most = problems * benchmark.samples * benchmark.max_tokens
    return Tokens(expected=round(COMPLETION_SHARE * most), at_most=most)
