"""What a run is to do, as validated, frozen data; importable without torch.

`parse_spec(data)` is the one way in. It fills a method's values (`methods.py`) under what the spec says itself,
refuses unknown fields with the nearest known name, and reports every wrong field at once as `SpecError`.
A resolved spec dumps to JSON that parses to the same spec again, so it can be stored with the run.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from trapo_core.errors import FieldProblem, SpecError
from trapo_core.knobs import (
    Alternate,
    Demonstrations,
    ExpertTerm,
    FailureBuffer,
    Fallback,
    Guidance,
    Optimizer,
    PolicyTerm,
    Refill,
    WarmStart,
)
from trapo_core.methods import METHODS, SUPERVISED
from trapo_core.sources import (
    DataSource,
    FolderModel,
    ModelSource,
    Name,
    Part,
    SmallWorldData,
    SmallWorldModel,
    Template,
    TinyModel,
)
from trapo_core.spec_errors import explain, nearest, wrong
from trapo_core.spec_parts import (
    ONE_PROCESS_OF_A_SERVER,
    Benchmark,
    Benchmarks,
    Checkpoints,
    Evaluation,
    LoggerName,
    Lora,
    Resources,
    Reward,
    Sampling,
    chosen_once,
)
from trapo_core.stage import Stage, doubts


class _RunSpec(Part):
    name: str = Field("", max_length=120, pattern=r"^[^\x00-\x1f]*$", description="One line of text.")
    tags: tuple[Name, ...] = Field((), max_length=16)
    seed: int = Field(0, ge=0, lt=2**31)
    model: ModelSource
    dtype: Literal["float32", "bfloat16"] = "float32"
    template: Template = Field("qwen_math", description="How a problem becomes a prompt; the small world's are raw.")
    reward: Reward = Reward()
    resources: Resources = Resources()
    loggers: Annotated[tuple[LoggerName, ...], AfterValidator(chosen_once)] = Field(
        (), description="Where else the run is told; addresses and keys come from each one's environment variables."
    )


def _leaves_small_world(model: ModelSource, data: DataSource) -> bool:
    """Its tokenizer knows only its own characters, and drops all others. What a folder holds is not known here."""
    mixed = isinstance(model, SmallWorldModel) != isinstance(data, SmallWorldData)
    return mixed and not isinstance(model, FolderModel)


def _check_benchmarks(model: ModelSource, benchmarks: tuple[Benchmark, ...], field: str) -> None:
    for index, benchmark in enumerate(benchmarks):
        if _leaves_small_world(model, benchmark.data):
            raise wrong(
                f"{field}/{index}/data/format",
                "the small world's model and data go together.",
                "Set both to small_world, or neither.",
            )


class TrainSpec(_RunSpec):
    """One training run. The defaults are the paper's; `method` fills those that `methods.py` lists."""

    kind: Literal["train"] = "train"
    method: str = "trapo"
    data: DataSource
    steps: int = Field(500, ge=1)
    prompts_per_step: int = Field(128, ge=1)
    guidance: Guidance
    expert: tuple[ExpertTerm, ...] = ()
    policy: PolicyTerm = PolicyTerm()
    warm_start: WarmStart | None = None
    demonstrations: Demonstrations | None = None
    fallback: Fallback | None = None
    failure_buffer: FailureBuffer | None = None
    alternate: Alternate | None = None
    refill: Refill | None = None
    updates_per_batch: int = Field(
        1, ge=1, le=64, description="Optimizer steps for each batch of groups; above 1 ratios move and clips bind."
    )
    sampling: Sampling = Sampling()
    optimizer: Optimizer = Optimizer()
    tokens_per_microbatch: int = Field(4096, ge=1, description="Bound on prompt + response tokens per backward pass.")
    gradient_checkpointing: bool = Field(False, description="Less memory for about a third more time per update.")
    lora: Lora | None = Field(None, description="Null trains every weight.")
    evaluation: Evaluation = Evaluation()
    checkpoints: Checkpoints = Checkpoints()

    @model_validator(mode="before")
    @classmethod
    def _fill_from_method(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        name = data.get("method", "trapo")
        if not isinstance(name, str) or name not in METHODS:
            raise wrong("method", f"{name!r} is not a method.", nearest(str(name), METHODS))
        return merge(METHODS[name].values, data)

    @model_validator(mode="after")
    def _small_world_is_closed(self) -> Self:
        if _leaves_small_world(self.model, self.data):
            raise wrong("model/source", "the small world's model and data go together.", "Set both to small_world.")
        shown = self.demonstrations.data if self.demonstrations else None
        if shown and _leaves_small_world(self.model, shown):
            raise wrong("demonstrations/data", "the small world's model and data go together.", "Set both to it.")
        _check_benchmarks(self.model, self.evaluation.benchmarks, "evaluation/benchmarks")
        return self

    @model_validator(mode="after")
    def _knobs_go_together(self) -> Self:
        if self.alternate and not self.warm_start:
            raise wrong("alternate", "measures against the end of a warm start.", "Add warm_start.")
        for name in ("alternate", "fallback", "failure_buffer", "demonstrations"):
            if getattr(self, name) and not self.expert:
                raise wrong(name, "learns from expert tokens, but there is no expert term.", "Add one to `expert`.")
        if self.updates_per_batch > self.prompts_per_step:
            raise wrong("updates_per_batch", "is more than the groups of a step.", "Lower it.")
        gpus = self.resources.gpus or 0
        if self.sampling.engine == "vllm" and gpus > 1:
            text = f"{gpus} GPUs are {gpus} training processes, and {ONE_PROCESS_OF_A_SERVER}."
            raise wrong("resources/gpus", text, "Set it to 1, or sampling.engine to batching.")
        return self

    @model_validator(mode="after")
    def _best_is_measured(self) -> Self:
        best = self.checkpoints.keep_best
        if best is None:
            return self
        metrics = {b.name: [f"avg@{b.samples}", *(f"pass@{k}" for k in b.pass_at)] for b in self.evaluation.benchmarks}
        if best.benchmark not in metrics:
            names = ", ".join(metrics) or "none"
            text = f"{best.benchmark!r} is not a benchmark of this run."
            raise wrong("checkpoints/keep_best/benchmark", text, f"Its benchmarks: {names}.")
        if best.metric not in metrics[best.benchmark]:
            text = f"{best.benchmark} has no {best.metric}."
            raise wrong("checkpoints/keep_best/metric", text, f"It has {', '.join(metrics[best.benchmark])}.")
        return self

    @property
    def total_steps(self) -> int:
        return sum(stage.steps for stage in self.stages())

    def warnings(self) -> list[str]:
        """What is allowed but hardly meant."""
        return [f"Stage {stage.name}: {text}" for stage in self.stages() for text in doubts(stage)]

    def stages(self) -> tuple[Stage, ...]:
        """The supervised stage, if any, and the main one, in order."""
        warm = self.warm_start
        shared = (Stage.model_fields.keys() & TrainSpec.model_fields) - {"name"}
        knobs = {name: getattr(self, name) for name in shared}
        main = Stage(name=self.method, first_step=warm.steps if warm else 0, **knobs)
        if not warm:
            return (main,)
        supervised = {**dict(warm), **SUPERVISED, "guidance": self.guidance.demonstration()}
        return Stage.model_validate({"name": "sft", "first_step": 0, **supervised}), main


class EvalSpec(_RunSpec):
    """One evaluation run: a model on benchmarks."""

    kind: Literal["eval"] = "eval"
    benchmarks: Benchmarks = Field(min_length=1)
    batch_size: int = Field(128, ge=1)

    @model_validator(mode="after")
    def _small_world_is_closed(self) -> Self:
        if isinstance(self.model, TinyModel):
            raise wrong("model/source", "a tiny model is made from training data.", "Evaluate a saved folder instead.")
        _check_benchmarks(self.model, self.benchmarks, "benchmarks")
        return self

    @model_validator(mode="after")
    def _has_no_steps(self) -> Self:
        for index, benchmark in enumerate(self.benchmarks):
            if benchmark.every_steps is not None:
                raise wrong(f"benchmarks/{index}/every_steps", "an evaluation has no steps.", "Leave it out.")
        return self


Spec = Annotated[TrainSpec | EvalSpec, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[TrainSpec | EvalSpec] = TypeAdapter(Spec)


def parse_spec(data: Any) -> TrainSpec | EvalSpec:
    """Validate `data` (parsed YAML or JSON) as a spec; a missing `kind` means train.

    Raises SpecError that names every wrong field by JSON pointer, with a remedy.
    """
    if not isinstance(data, dict):
        raise SpecError(
            [
                FieldProblem(
                    "", f"a spec is a mapping of fields, not {type(data).__name__}.", "See recipes/ for examples."
                )
            ]
        )
    try:
        return _ADAPTER.validate_python({"kind": "train", **data})
    except ValidationError as error:
        raise SpecError(explain(error, {"train": TrainSpec, "eval": EvalSpec})) from error


def context_problems(spec: TrainSpec | EvalSpec, context: int | None = None) -> list[FieldProblem]:
    """Responses that leave no room for a prompt in `context`. Models of the project's own have a known one, so that
    this shows before they are made; others tell theirs by their config, or when they are loaded."""
    if isinstance(spec.model, SmallWorldModel | TinyModel):
        context = spec.model.context
    if context is None:
        return []
    if isinstance(spec, EvalSpec):
        asked = {f"/benchmarks/{i}/max_tokens": b.max_tokens for i, b in enumerate(spec.benchmarks)}
    else:
        found = enumerate(spec.evaluation.benchmarks)
        asked = {"/sampling/max_tokens": spec.sampling.max_tokens}
        asked |= {f"/evaluation/benchmarks/{i}/max_tokens": b.max_tokens for i, b in found}
    text = "{} leaves no room for a prompt in a context of {}."
    return [FieldProblem(at, text.format(n, context), "Lower it.") for at, n in asked.items() if n >= context]


def merge(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """`given` over `defaults`, mapping by mapping; a list or value in `given` replaces the default whole."""
    merged = dict(defaults)
    for key, value in given.items():
        default = merged.get(key)
        merged[key] = merge(default, value) if isinstance(default, dict) and isinstance(value, dict) else value
    return merged
