"""What a run is to do, as validated, frozen data; importable without torch.

`parse_spec(data)` is the one way in. It fills a method's values (`methods.py`) under what the spec says itself,
refuses unknown fields with the nearest known name, and reports every wrong field at once as `SpecError`.
A resolved spec dumps to JSON that parses to the same spec again, so it can be stored with the run.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from trapo_core.errors import FieldProblem, SpecError
from trapo_core.methods import METHODS, SFT_VALUES
from trapo_core.sources import (
    BelowOne,
    DataSource,
    FolderModel,
    ModelSource,
    Name,
    Part,
    Positive,
    Share,
    SmallWorldData,
    SmallWorldModel,
    Template,
    TinyModel,
    UpToOne,
)
from trapo_core.spec_errors import explain, nearest, wrong

# --------------------------------------------------------------------------------------------------------- the method


class Slot(Part):
    """`n` samples drawn together (the paper's micro-group) and the rule that decides whether they are guided."""

    n: int = Field(ge=1, le=1024)
    when: Literal["never", "always", "mean_below"] = "never"
    threshold: float | None = Field(
        None, ge=-1.0, le=1.0, description="With mean_below: guided while the mean reward so far is below."
    )
    inclusive: bool = Field(False, description="Guided also when the mean equals the threshold.")
    ratio: Share = Field(0.0, description="Length of the expert prefix as a share of the trace's tokens.")

    @model_validator(mode="after")
    def _rule_is_whole(self) -> Self:
        if (self.when == "mean_below") != (self.threshold is not None):
            raise wrong("threshold", "goes with `when: mean_below`, and only with it.", "Set both or neither.")
        if (self.when == "never") != (self.ratio == 0.0):
            raise wrong(
                "ratio",
                f"is {self.ratio} but the slot says `when: {self.when}`.",
                "An unguided slot has ratio 0, a guided one more.",
            )
        return self


class Guidance(Part):
    """How much of the expert's solution the samples of a group start from (paper section 3, micro-groups)."""

    slots: tuple[Slot, ...] = Field(min_length=1)
    cut: Literal["floor", "paragraph"] = Field("floor", description="paragraph: move the cut to the next blank line.")
    window: Share = Field(0.3, description="With paragraph: how far behind the ratio the cut may move.")

    @model_validator(mode="after")
    def _first_slot_is_unguided(self) -> Self:
        if self.slots[0].when != "never" and any(slot.when == "mean_below" for slot in self.slots):
            raise wrong(
                "slots/0/when",
                "thresholds need a first unguided slot to measure the model alone.",
                "Set `when: never` there.",
            )
        return self

    @property
    def needs_traces(self) -> bool:
        return any(slot.when != "never" for slot in self.slots)

    @property
    def samples_per_group(self) -> int:
        return sum(slot.n for slot in self.slots)


Norm = Literal["const", "token_mean", "seq_mean"]


class ExpertTerm(Part):
    """The loss on expert tokens: -weight · gate · k(p) · log p, with a detached kernel k (`kernels.py`)."""

    kernel: Literal["nll", "trsft", "dft", "phi", "shaped"]
    alpha: float = Field(0.1, ge=0.0, le=1.0, description="trsft: tokens with p below alpha are damped.")
    gamma: Positive = Field(0.1, description="shaped: LUFFY's policy shaping constant.")
    gate: Literal["one", "advantage", "positive_advantage"] = "one"
    mask: Literal["dedupe", "all"] = Field("dedupe", description="dedupe: one copy of the same prefix in a slot.")
    weight: float = Field(1.0, ge=0.0)
    norm: Norm = Field("const", description="const: divide by samples × max_tokens.")

    @property
    def kernel_params(self) -> dict[str, float]:
        """The parameters that this kernel has."""
        return {"trsft": {"alpha": self.alpha}, "shaped": {"gamma": self.gamma}}.get(self.kernel, {})


class PolicyTerm(Part):
    """The policy-gradient loss on the model's own tokens."""

    weight: float = Field(1.0, ge=0.0)
    baseline: Literal["all", "unguided", "per_slot", "exclude_full"] = "all"
    std: Literal["none", "unbiased"] = "none"
    clip: tuple[UpToOne, Positive] | None = Field(None, description="(low, high) around a ratio of 1.")
    norm: Norm = "const"


class Optimizer(Part):
    """AdamW. The learning rate is constant, or a cosine from lr to lr · final_ratio, after a linear warm-up."""

    lr: Positive = 5e-6
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: float = Field(0.01, ge=0.0)
    grad_clip: Positive = 1.0
    warmup_share: Share = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    final_ratio: Share = 0.1


class WarmStart(Part):
    """A supervised stage before the main one (SFT-then-RL): whole traces, token-mean NLL, its own optimizer."""

    steps: int = Field(100, ge=1)
    prompts_per_step: int = Field(64, ge=1)
    optimizer: Optimizer = Optimizer(lr=5e-5, warmup_share=0.1, schedule="cosine")


class Sampling(Part):
    """How training samples are drawn. `max_tokens` bounds prefix and completion together."""

    temperature: Positive = 1.0
    max_tokens: int = Field(8192, ge=1)
    batch_size: int = Field(256, ge=1, description="Samples drawn at once; lower it if the cache does not fit.")


# ----------------------------------------------------------------------------------------------- around the method


class Reward(Part):
    """Answer checking: the small world's own rule, else math-verify in processes that can be killed."""

    timeout_s: Positive = 5.0
    processes: int = Field(1, ge=1, le=64)


class Benchmark(Part):
    """Problems on which the model is scored: `samples` answers each, avg@samples and pass@k with intervals."""

    name: Name
    data: DataSource
    samples: int = Field(1, ge=1, le=1024)
    temperature: float = Field(0.6, ge=0.0, description="0 takes the likeliest token.")
    max_tokens: int = Field(8192, ge=1)
    pass_at: tuple[Annotated[int, Field(ge=1)], ...] = ()

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
    every_steps: int = Field(0, ge=0, description="0: at the end only.")
    at_start: bool = False
    batch_size: int = Field(128, ge=1)


class Checkpoints(Part):
    """A checkpoint holds all that a step needs; a run killed anywhere resumes from the last one."""

    every_steps: int = Field(50, ge=1)
    keep_last: int = Field(2, ge=1)


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
    guidance: Guidance
    expert: tuple[ExpertTerm, ...]
    policy: PolicyTerm
    optimizer: Optimizer


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
    """One training run. The defaults are the paper's; `method` fills guidance, expert, policy and warm_start."""

    kind: Literal["train"] = "train"
    method: str = "trapo"
    data: DataSource
    steps: int = Field(500, ge=1)
    prompts_per_step: int = Field(128, ge=1)
    guidance: Guidance
    expert: tuple[ExpertTerm, ...] = ()
    policy: PolicyTerm = PolicyTerm()
    warm_start: WarmStart | None = None
    sampling: Sampling = Sampling()
    optimizer: Optimizer = Optimizer()
    tokens_per_microbatch: int = Field(4096, ge=1, description="Bound on prompt + response tokens per backward pass.")
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
        _check_benchmarks(self.model, self.evaluation.benchmarks, "evaluation/benchmarks")
        return self

    @property
    def total_steps(self) -> int:
        return sum(stage.steps for stage in self.stages())

    def warnings(self) -> list[str]:
        """What is allowed but hardly meant."""
        found = []
        for stage in self.stages():
            if stage.expert and not stage.guidance.needs_traces:
                found.append(f"Stage {stage.name}: no slot is guided, so its expert terms never see a token.")
            if stage.policy.weight == 0 and not stage.expert:
                found.append(
                    f"Stage {stage.name}: neither own nor expert tokens are learned; the weights stay as they are."
                )
            if stage.policy.clip:
                found.append(f"Stage {stage.name}: policy.clip never binds; with one update a batch the ratio is 1.")
        return found

    def stages(self) -> tuple[Stage, ...]:
        """The supervised stage, if any, and the main one, in order."""
        warm = self.warm_start
        main = Stage(
            name=self.method,
            first_step=warm.steps if warm else 0,
            steps=self.steps,
            prompts_per_step=self.prompts_per_step,
            guidance=self.guidance,
            expert=self.expert,
            policy=self.policy,
            optimizer=self.optimizer,
        )
        return (
            (Stage.model_validate({"name": "sft", "first_step": 0, **dict(warm), **SFT_VALUES}), main)
            if warm
            else (main,)
        )


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


def context_problems(spec: TrainSpec | EvalSpec) -> list[FieldProblem]:
    """Responses that leave no room for a prompt. Models of the project's own have a known context, so that this shows
    before they are made; others tell theirs when they are loaded."""
    if not isinstance(spec.model, SmallWorldModel | TinyModel):
        return []
    context = spec.model.context
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
