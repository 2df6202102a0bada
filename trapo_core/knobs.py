"""The knobs of a method: parts of a spec, importable without torch (ALGORITHMS.md 3.2).

Slots say which samples start from how much of the expert's solution, expert terms what is learned from expert tokens,
the policy term what is learned from the model's own; the rest says when. `methods.py` gives names to sets of values.
"""

from math import cos, pi
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from trapo_core.sources import BelowOne, DataSource, Part, Positive, Share, UpToOne
from trapo_core.spec_errors import wrong

# ------------------------------------------------------------------------------------------- values that move with time


class Cosine(Part):
    """A value that goes from `start` to `end` along half a cosine."""

    shape: Literal["cosine"] = "cosine"
    start: float = Field(ge=0.0)
    end: float = Field(ge=0.0)
    steps: int | None = Field(None, ge=1, description="Over so many steps of the stage; by default over all of them.")
    after: float | None = Field(None, ge=0.0, description="The value behind those steps; by default `end`.")


def _kind(key: str, *kinds: str) -> Discriminator:
    """A mapping says what it is in its field `key` (by default the first kind); anything else is a number."""

    def kind_of(value: Any) -> str:
        return str(value.get(key, kinds[0])) if isinstance(value, dict) else str(getattr(value, key, "number"))

    problem = {"field": key, "problem": "is not known.", "hint": f"Known: {', '.join(kinds)}; or give a number."}
    return Discriminator(
        kind_of,
        custom_error_type="wrong_field",
        custom_error_message="{problem}",
        custom_error_context=problem,  # type: ignore[arg-type]
    )


# A number, or one that moves: {start: 0.9, end: 0.05, steps: 200}.
Curve = Annotated[
    Annotated[float, Field(ge=0.0), Tag("number")] | Annotated[Cosine, Tag("cosine")], _kind("shape", "cosine")
]


def value_at(curve: "float | Cosine", step: int, steps: int) -> float:
    """The curve at `step` (from 0) of a stage of `steps`."""
    if not isinstance(curve, Cosine):
        return curve
    span = curve.steps or steps
    if step > span:
        return curve.end if curve.after is None else curve.after
    return curve.end + (curve.start - curve.end) * (1 + cos(pi * step / span)) / 2


# ------------------------------------------------------------------------------------------------------------- guidance


class UniformRatio(Part):
    """A prefix ratio drawn evenly between `low` and `high` (Prefix-RFT, arXiv 2507.01679)."""

    draw: Literal["uniform"] = "uniform"
    low: Curve = 0.0
    high: UpToOne = 0.95


class ChunksRatio(Part):
    """k of `chunks` equal parts of the solution, k binomial with probability `p` (UFT, arXiv 2505.16984)."""

    draw: Literal["chunks"] = "chunks"
    chunks: int = Field(5, ge=1, le=1000)
    p: Curve


Ratio = Annotated[
    Annotated[float, Field(ge=0.0, le=1.0), Tag("number")]
    | Annotated[UniformRatio, Tag("uniform")]
    | Annotated[ChunksRatio, Tag("chunks")],
    _kind("draw", "uniform", "chunks"),
]


class Slot(Part):
    """`n` samples drawn together (the paper's micro-group) and the rule that decides whether they are guided."""

    n: int = Field(ge=1, le=1024)
    when: Literal["never", "always", "mean_below"] = "never"
    threshold: float | None = Field(
        None, ge=-1.0, le=1.0, description="With mean_below: guided while the mean reward so far is below."
    )
    inclusive: bool = Field(False, description="Guided also when the mean equals the threshold.")
    ratio: Ratio = Field(0.0, description="Length of the expert prefix as a share of the trace's tokens.")
    trace: int | Literal["random"] = Field(
        0, description="Which of the problem's expert traces, from 0; a problem with fewer gives its last."
    )

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
        if isinstance(self.trace, int) and self.trace < 0:
            raise wrong("trace", f"is {self.trace}.", "Count the problem's traces from 0, or say random.")
        return self

    @property
    def longest_ratio(self) -> float:
        """The prefix ratio, or the greatest that may be drawn."""
        match self.ratio:
            case UniformRatio(high=high):
                return high
            case ChunksRatio():
                return 1.0
        return self.ratio


class Guidance(Part):
    """How much of the expert's solution the samples of a group start from (paper section 3, micro-groups)."""

    slots: tuple[Slot, ...] = Field(min_length=1)
    cut: Literal["floor", "paragraph", "line"] = Field(
        "floor", description="paragraph, line: move the cut to the next blank line, the next end of a line."
    )
    window: Share = Field(0.3, description="With paragraph or line: how far behind the ratio the cut may move.")
    content: Literal["full", "think_only"] = Field(
        "full", description="think_only: only what the trace has between <think> and </think>."
    )

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

    def demonstration(self) -> "Guidance":
        """Whole traces of the same content, nothing sampled: supervised fine-tuning as a group of one."""
        return Guidance(slots=(Slot(n=1, when="always", ratio=1.0),), content=self.content)


# ------------------------------------------------------------------------------------------------------------- the loss

Norm = Literal["const", "token_mean", "seq_mean", "response_mean"]
Baseline = Literal["all", "unguided", "per_slot", "exclude_full", "none"]
Std = Literal["none", "unbiased"]
Clip = tuple[UpToOne, Positive]


class ExpertTerm(Part):
    """The loss on expert tokens: -weight · gate · k(p) · log p, with a detached kernel k (`kernels.py`)."""

    kernel: Literal["nll", "trsft", "dft", "phi", "shaped", "ratio"]
    alpha: float = Field(0.1, ge=0.0, le=1.0, description="trsft: tokens with p below alpha are damped.")
    gamma: Positive = Field(0.1, description="shaped: LUFFY's policy shaping constant.")
    clip: Clip | None = Field(None, description="ratio: (low, high) around a ratio of 1.")
    dual_clip: float | None = Field(None, gt=1.0, description="ratio: bound where the advantage is below 0.")
    gate: Literal["one", "advantage", "positive_advantage"] = "one"
    baseline: Baseline | None = Field(None, description="Of the gate's advantage; by default the policy's.")
    std: Std | None = Field(None, description="Of the gate's advantage; by default the policy's.")
    mask: Literal["dedupe", "all"] = Field("dedupe", description="dedupe: one copy of the same prefix in a slot.")
    top_entropy: UpToOne | None = Field(
        None, description="Only this share of each prefix's tokens: those where the model is least sure."
    )
    entropy_exponent: float = Field(
        0.0, ge=-10.0, le=10.0, description="c: each sequence counts exp(c·H), H its prefix's mean entropy."
    )
    weight: Curve = 1.0
    norm: Norm = Field(
        "const", description="const: divide by samples × max_tokens; response_mean: by prefix and own tokens of all."
    )

    @model_validator(mode="after")
    def _clip_has_a_ratio(self) -> Self:
        if self.kernel != "ratio" and (self.clip or self.dual_clip):
            raise wrong("clip", f"has no meaning for the kernel {self.kernel}.", "Leave it out, or use kernel: ratio.")
        if self.dual_clip and not self.clip:
            raise wrong("dual_clip", "goes with clip.", "Set both or neither.")
        return self

    @property
    def kernel_params(self) -> dict[str, float]:
        """The parameters that this kernel has."""
        return {"trsft": {"alpha": self.alpha}, "shaped": {"gamma": self.gamma}}.get(self.kernel, {})


class PolicyTerm(Part):
    """The policy-gradient loss on the model's own tokens."""

    weight: Curve = 1.0
    kernel: Literal["ratio", "logp"] = Field("ratio", description="logp: plain REINFORCE, without old log-probs.")
    baseline: Baseline = "all"
    std: Std = "none"
    reward_range: tuple[float, float] = Field((0.0, 1.0), description="What a wrong and a right answer count.")
    clip: Clip | None = Field(None, description="(low, high) around a ratio of 1.")
    dual_clip: float | None = Field(None, gt=1.0, description="Bound of the ratio where the advantage is below 0.")
    norm: Norm = "const"
    positive_weight: float = Field(1.0, ge=0.0, description="Factor of samples with a positive advantage.")
    positive_entropy_exponent: float = Field(
        0.0, ge=-10.0, le=10.0, description="c: those count exp(c·H) more, H the sample's mean entropy."
    )
    kl: float = Field(0.0, ge=0.0, description="Weight of KL(policy ‖ the stage's first weights), estimator k3.")
    entropy: float = Field(0.0, ge=0.0, description="Weight of the mean entropy of response tokens, to be raised.")
    truncated_importance: float | None = Field(
        None, gt=0.0, description="Weigh each own token by min(p_trainer/p_sampler, this)."
    )

    @model_validator(mode="after")
    def _words_go_together(self) -> Self:
        if self.dual_clip and not self.clip:
            raise wrong("dual_clip", "goes with clip.", "Set both or neither.")
        if self.kernel == "logp" and self.clip:
            raise wrong("clip", "needs a ratio; kernel: logp has none.", "Leave it out, or use kernel: ratio.")
        if self.reward_range[0] >= self.reward_range[1]:
            raise wrong("reward_range", "a wrong answer counts no less than a right one.", "Give (wrong, right).")
        return self


# ----------------------------------------------------------------------------------------------------------------- when


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


class FailureOptimizer(Optimizer):
    """ReLIFT's for its supervised steps."""

    lr: Positive = 1e-6
    grad_clip: Positive = 0.7


class WarmStartOptimizer(Optimizer):
    """The usual one of supervised fine-tuning."""

    lr: Positive = 5e-5
    warmup_share: Share = 0.1
    schedule: Literal["constant", "cosine"] = "cosine"


class Demonstrations(Part):
    """Whole expert traces learned in every step beside the groups: a stream of their own (CHORD)."""

    prompts_per_step: int = Field(32, ge=1)
    data: DataSource | None = Field(None, description="Problems with traces; by default the training data.")


class Fallback(Part):
    """Problems with at most so many right samples learn from their expert trace instead of the samples (HPT)."""

    right_at_most: int = Field(0, ge=0)


class FailureBuffer(Part):
    """Problems that no sample solved wait here; `size` of them make one supervised step of their own (ReLIFT)."""

    size: int = Field(128, ge=1)
    optimizer: FailureOptimizer = FailureOptimizer()


class Alternate(Part):
    """Each step is supervised with probability g/(g + gamma·g0), else reinforcement: g is the gradient norm of the
    last supervised step, g0 that at the end of the warm start (SASR, arXiv 2505.13026)."""

    gamma: Positive = 1.0


class Refill(Part):
    """Groups that teach nothing, all samples alike and no expert token, are replaced by those of further problems."""

    max_extra_share: float = Field(1.0, gt=0.0, le=16.0, description="At most so many more, as a share of a step's.")


class WarmStart(Part):
    """A supervised stage before the main one (SFT-then-RL): whole traces, token-mean NLL, its own optimizer."""

    steps: int = Field(100, ge=1)
    prompts_per_step: int = Field(64, ge=1)
    optimizer: WarmStartOptimizer = WarmStartOptimizer()
