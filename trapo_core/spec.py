"""What a run is to do, as validated, frozen data; importable without torch.

`parse_spec(data)` is the one way in. It fills a method's values (`methods.py`) under what the spec says itself,
refuses unknown fields with the nearest known name, and reports every wrong field at once as `SpecError`.
A resolved spec dumps to JSON that parses to the same spec again, so it can be stored with the run.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from trapo_core import benchmarks as known_benchmarks
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
    value_at,
)
from trapo_core.methods import METHODS, SUPERVISED
from trapo_core.sources import (
    DataSource,
    FolderModel,
    ModelSource,
    Name,
    Part,
    Positive,
    SmallWorldData,
    SmallWorldModel,
    Template,
    TinyModel,
)
from trapo_core.spec_errors import explain, nearest, wrong

Schedule = Literal["auto", "waves", "pipeline", "early", "speculative"]


class Vllm(Part):
    """A vLLM server that samples in a process of its own (docs/engines.md)."""

    url: str | None = Field(
        None, pattern=r"^http://[^/\s]+/?$", description="A running server; without it the run starts one (TRAPO_VLLM)."
    )
    start_timeout_s: Positive = 900.0
    timeout_s: Positive = Field(900.0, description="Without any answer for so long, the server counts as dead.")


class Sampling(Part):
    """How training samples are drawn. `max_tokens` bounds prefix and completion together."""

    temperature: Positive = 1.0
    max_tokens: int = Field(8192, ge=1)
    engine: Literal["batching", "generate", "vllm"] = Field(
        "batching", description="generate: the slow, simple reference. vllm: a server (docs/engines.md)."
    )
    vllm: Vllm = Vllm()
    schedule: Schedule = Field("auto", description="When a slot starts; the groups are the same whichever it is.")
    batch_size: int = Field(256, ge=1, description="Samples drawn at once; lower it if the cache does not fit.")

    @model_validator(mode="after")
    def _vllm_goes_with_its_engine(self) -> Self:
        if self.engine != "vllm" and self.vllm != Vllm():
            raise wrong("vllm", f"is set, but the engine is {self.engine}.", "Set engine: vllm, or leave it out.")
        return self


# ----------------------------------------------------------------------------------------------- around the method


class Reward(Part):
    """Answer checking: the small world's own rule, else math-verify in processes that can be killed."""

    timeout_s: Positive = 5.0
    processes: int = Field(1, ge=1, le=64)


class Benchmark(Part):
    """Problems on which the model is scored: `samples` answers each, avg@samples and pass@k with intervals.

    A name of `benchmarks.py` fills what is not given.
    """

    name: Name
    data: DataSource
    samples: int = Field(1, ge=1, le=1024)
    temperature: float = Field(0.6, ge=0.0, description="0 takes the likeliest token.")
    max_tokens: int = Field(8192, ge=1)
    pass_at: tuple[Annotated[int, Field(ge=1)], ...] = ()
    every_steps: int | None = Field(
        None, ge=0, description="In training: its own schedule instead of evaluation.every_steps; 0: at the end only."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_name(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        name = data.get("name")
        if isinstance(name, str) and "data" not in data and name not in known_benchmarks.KNOWN:
            hint = f"{nearest(name, known_benchmarks.KNOWN)} For problems of your own, give `data`."
            raise wrong("name", f"{name!r} is not a known benchmark.", hint)
        return known_benchmarks.filled(data)

    @model_validator(mode="after")
    def _enough_samples(self) -> Self:
        if self.pass_at and self.samples == 1:
            raise wrong("pass_at", "pass@1 of one sample is its avg@1.", "Leave it out, or raise samples.")
        if self.pass_at and max(self.pass_at) > self.samples:
            raise wrong(
                "pass_at", f"pass@{max(self.pass_at)} needs as many samples, not {self.samples}.", "Raise samples."
            )
        if self.temperature == 0 and self.samples > 1:
            raise wrong("samples", "greedy answers are all alike.", "Set samples to 1, or a temperature above 0.")
        return self


def _named_once(benchmarks: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
    """Scores and files are told apart by the benchmark's name."""
    names = [benchmark.name for benchmark in benchmarks]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise wrong(f"{index}/name", f"an earlier benchmark is called {name!r} too.", "Give each its own name.")
    return benchmarks


Benchmarks = Annotated[tuple[Benchmark, ...], AfterValidator(_named_once)]


class Evaluation(Part):
    """When and on what a training run is scored; always once at the end."""

    benchmarks: Benchmarks = ()
    every_steps: int = Field(0, ge=0, description="0: at the end only. A benchmark may have its own.")
    at_start: bool = False
    batch_size: int = Field(128, ge=1)

    def due(self, step: int, total_steps: int) -> tuple[Benchmark, ...]:
        """The benchmarks to score after `step` of `total_steps` steps, in order: all of them at the end and, if asked
        for, at the start; in between each on its own schedule."""
        if step == 0 or step == total_steps:
            return self.benchmarks if step or self.at_start else ()
        every = [self.every_steps if one.every_steps is None else one.every_steps for one in self.benchmarks]
        return tuple(one for one, n in zip(self.benchmarks, every, strict=True) if n and step % n == 0)


class Best(Part):
    """The score by which checkpoints are compared; the earlier of two equal ones stays."""

    benchmark: Name
    metric: str = Field(pattern=r"^(avg|pass)@[1-9][0-9]*$", description="Such as avg@8 or pass@4.")


class Checkpoints(Part):
    """A checkpoint holds all that a step needs; a run killed anywhere resumes from the last one."""

    every_steps: int = Field(50, ge=1)
    keep_last: int = Field(2, ge=1)
    keep_best: Best | None = Field(None, description="Also keep the checkpoint that scored best, however old.")


class Lora(Part):
    """Train low-rank adapters beside frozen weights (needs the extra `lora`)."""

    rank: int = Field(16, ge=1, le=1024)
    alpha: Positive = Field(32.0, description="The adapter's output is scaled by alpha / rank.")
    dropout: float = Field(0.0, description="0 only.")
    target_modules: Literal["all-linear"] | Annotated[tuple[Name, ...], Field(min_length=1)] = "all-linear"

    @model_validator(mode="after")
    def _no_dropout(self) -> Self:
        if self.dropout:
            text = "the trainer must see the distribution that was sampled from, which has no dropout."
            raise wrong("dropout", text, "Set it to 0.")
        return self


class Resources(Part):
    """What a run may use. Without `gpus`, one GPU if the host has one, else the CPU."""

    gpus: int | None = Field(None, ge=0, le=64)
    cpu_threads: int | None = Field(None, ge=1, le=256, description="Threads of one training process on a CPU.")


LoggerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]


def _chosen_once(loggers: tuple[LoggerName, ...]) -> tuple[LoggerName, ...]:
    for index, name in enumerate(loggers):
        if name in loggers[:index]:
            raise wrong(str(index), f"{name} is chosen already.", "Name each logger once.")
    return loggers


class Stage(Part):
    """A stretch of steps under one set of knobs; what the loop sees."""

    name: str
    first_step: int
    steps: int
    prompts_per_step: int
    optimizer: Optimizer
    guidance: Guidance
    expert: tuple[ExpertTerm, ...]
    policy: PolicyTerm
    demonstrations: Demonstrations | None = None
    fallback: Fallback | None = None
    failure_buffer: FailureBuffer | None = None
    alternate: Alternate | None = None
    refill: Refill | None = None
    updates_per_batch: int = 1

    @property
    def needs_traces(self) -> bool:
        supervised = self.fallback or self.failure_buffer or self.alternate
        own_stream = self.demonstrations and not self.demonstrations.data
        return self.guidance.needs_traces or bool(supervised or own_stream)

    def at(self, step: int) -> "Stage":
        """The stage with the weights that hold in its `step` (from 0) as numbers."""
        policy = self.policy.model_copy(update={"weight": value_at(self.policy.weight, step, self.steps)})
        expert = tuple(
            term.model_copy(update={"weight": value_at(term.weight, step, self.steps)}) for term in self.expert
        )
        return self.model_copy(update={"policy": policy, "expert": expert})

    @property
    def learns_from_experts(self) -> bool:
        """Whether any token of an expert trace comes before the loss."""
        return self.needs_traces or self.demonstrations is not None


class _RunSpec(Part):
    name: str = Field("", max_length=120, pattern=r"^[^\x00-\x1f]*$", description="One line of text.")
    tags: tuple[Name, ...] = Field((), max_length=16)
    seed: int = Field(0, ge=0, lt=2**31)
    model: ModelSource
    dtype: Literal["float32", "bfloat16"] = "float32"
    template: Template = Field("qwen_math", description="How a problem becomes a prompt; the small world's are raw.")
    reward: Reward = Reward()
    resources: Resources = Resources()
    loggers: Annotated[tuple[LoggerName, ...], AfterValidator(_chosen_once)] = Field(
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
        return [f"Stage {stage.name}: {text}" for stage in self.stages() for text in _doubts(stage)]

    def stages(self) -> tuple[Stage, ...]:
        """The supervised stage, if any, and the main one, in order."""
        warm = self.warm_start
        shared = (Stage.model_fields.keys() & TrainSpec.model_fields) - {"name"}
        knobs = {name: getattr(self, name) for name in shared}
        main = Stage(name=self.method, first_step=warm.steps if warm else 0, **knobs)
        if not warm:
            return (main,)
        return Stage.model_validate({"name": "sft", "first_step": 0, **dict(warm), **SUPERVISED}), main


def _doubts(stage: Stage) -> Iterator[str]:
    if stage.expert and not stage.learns_from_experts:
        yield "no slot is guided, so its expert terms never see a token."
    if stage.policy.weight == 0 and not stage.expert:
        yield "neither own nor expert tokens are learned; the weights stay as they are."
    if stage.policy.clip and stage.updates_per_batch == 1:
        yield "policy.clip never binds; with one update a batch the ratio is 1."


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
