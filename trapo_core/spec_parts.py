"""What surrounds a method in a spec: how samples are drawn and checked, what is scored and kept, on which machine.

Importable without torch.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from trapo_core import benchmarks as known_benchmarks
from trapo_core.sources import DataSource, Name, Part, Positive
from trapo_core.spec_errors import nearest, wrong

Schedule = Literal["auto", "waves", "pipeline", "early", "speculative"]
# Each rank would bring the server its own weights, and reset its cache under the others' requests.
ONE_PROCESS_OF_A_SERVER = "a vLLM server samples for one training process so far"


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
    target_modules: Literal["all-linear"] | Annotated[tuple[Name, ...], Field(min_length=1)] = "all-linear"


class Resources(Part):
    """What a run may use. Without `gpus`, one GPU if the host has one, else the CPU."""

    gpus: int | None = Field(None, ge=0, le=64)
    cpu_threads: int | None = Field(None, ge=1, le=256, description="Threads of one training process on a CPU.")
    max_duration_s: float | None = Field(
        None,
        gt=0,
        description="Seconds that one attempt or `trapo run` may take; then it saves, and the run has failed.",
    )


LoggerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]


def chosen_once(loggers: tuple[LoggerName, ...]) -> tuple[LoggerName, ...]:
    for index, name in enumerate(loggers):
        if name in loggers[:index]:
            raise wrong(str(index), f"{name} is chosen already.", "Name each logger once.")
    return loggers
