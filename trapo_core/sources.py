"""Where a run's model and problems come from: parts of a spec, importable without torch."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trapo_core.spec_errors import wrong

HUB_ID = r"^\w[\w.\-]*/\w[\w.\-]*$"  # owner/name; neither may be a path such as ".."
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
BelowOne = Annotated[float, Field(ge=0.0, lt=1.0)]
UpToOne = Annotated[float, Field(gt=0.0, le=1.0)]
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$",
        description="At most 64 letters, digits, dots, dashes and underscores; first a letter or digit.",
    ),
]


class Part(BaseModel):
    """Base of every part of a spec: frozen, unknown fields refused, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HubModel(Part):
    """A causal language model on the Hugging Face Hub (safetensors weights only)."""

    source: Literal["hub"] = "hub"
    id: str = Field(pattern=HUB_ID, description="Repository, such as Qwen/Qwen2.5-0.5B.")
    revision: str = Field("main", description="Commit, tag or branch; pin a commit for a result you want to repeat.")


class FolderModel(Part):
    """A Hugging Face model folder: under the models root, or any folder for a run without a service."""

    source: Literal["folder"] = "folder"
    path: str = Field(min_length=1)


class SmallWorldModel(Part):
    """The small world's base model; made on first use (about a minute on a CPU) and kept."""

    source: Literal["small_world"] = "small_world"
    seed: int = 0
    steps: int = Field(520, ge=1, le=10_000, description="Pre-training steps of the base.")
    context: ClassVar[int] = 160


class TinyModel(Part):
    """A randomly initialised Qwen2-architecture model with a byte-level BPE tokenizer trained on the training data."""

    source: Literal["tiny"] = "tiny"
    vocab_size: int = Field(1024, ge=300, le=50_000)
    hidden_size: int = Field(64, ge=8, le=1024)
    layers: int = Field(2, ge=1, le=24)
    heads: int = Field(4, ge=1, le=16)
    context: int = Field(1024, ge=64, le=32_768)
    seed: int = 0

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.hidden_size % (2 * self.heads):
            raise wrong(
                "hidden_size",
                f"{self.hidden_size} does not give each of {self.heads} heads a whole, even width.",
                f"Take a multiple of {2 * self.heads}.",
            )
        return self


ModelSource = Annotated[HubModel | FolderModel | SmallWorldModel | TinyModel, Field(discriminator="source")]


class SmallWorldData(Part):
    """Problems of the small world, made on the fly (`arithmetic.py`): variable chains modulo 10, or memorised facts."""

    format: Literal["small_world"] = "small_world"
    task: Literal["chains", "facts"] = "chains"
    problems: int = Field(2048, ge=1, le=1_000_000)
    min_ops: int = Field(4, ge=1, le=16)
    max_ops: int = Field(8, ge=1, le=16)
    leap_probability: Share = Field(0.08, description="How often the expert skips steps that the learner cannot skip.")
    seed: int = 0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_ops > self.max_ops:
            raise wrong("min_ops", f"{self.min_ops} is above max_ops {self.max_ops}.", "Swap them.")
        return self


class FileData(Part):
    """A file of problems: under the data root, or any path for a run without a service; with `hub`, a file of that
    Hub data set."""

    format: Literal["gsm8k", "openr1", "valid", "jsonl"]
    path: str = Field(min_length=1, description="Such as gsm8k/train.jsonl.")
    hub: str | None = Field(None, pattern=HUB_ID, description="Hub data set that holds the file.")
    revision: str = "main"
    limit: int | None = Field(None, ge=1, description="Only the first so many unique problems.")
    answers: Literal["math", "choice"] = Field(
        "math", description="choice: the answer is the letter or digit of an option; chooses the answer checker."
    )


DataSource = Annotated[SmallWorldData | FileData, Field(discriminator="format")]
Template = Literal["raw", "simple", "qwen_math", "chat"]


def template_for(data: SmallWorldData | FileData, template: Template) -> Template:
    """Small-world problems are prompts already."""
    return "raw" if isinstance(data, SmallWorldData) else template
