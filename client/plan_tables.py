"""An estimate as tables and one line of words; nothing here computes or prints."""

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from client.tables import plain
from trapo_core.devices import DEVICES
from trapo_core.estimate import Estimate
from trapo_core.memory import Memory
from trapo_core.spec import EvalSpec, TrainSpec
from trapo_core.timing import Seconds
from trapo_core.workload import Tokens

PARTS = {
    "weights": "weights (float32)",
    "gradients": "gradients",
    "moments": "AdamW's moments",
    "sampling_copy": "copy to sample from",
    "reference": "reference of the KL term",
    "keys_values": "keys and values of the sampled batch",
    "activations": "in the update: activations of a micro-batch",
    "head": "in the update: logits of a chunk, head's gradient",
    "optimizer_step": "in AdamW's step: temporaries",
    "keys_values_evaluation": "in evaluation: its keys and values",
}


def facts(spec: TrainSpec | EvalSpec, found: Estimate) -> Table:
    table = plain("", "")
    table.show_header = False
    for name, value in _facts(spec, found):
        table.add_row(f"[dim]{name}[/]", escape(value))
    return table


def _facts(spec: TrainSpec | EvalSpec, found: Estimate) -> Iterator[tuple[str, str]]:
    yield "name", spec.name
    size = f", {count(found.parameters)} parameters" if found.parameters else ""
    yield "model", f"{getattr(spec.model, 'id', getattr(spec.model, 'path', spec.model.source))}{size}, {spec.dtype}"
    if isinstance(spec, TrainSpec):
        yield "method", f"{spec.method}: {spec.total_steps} steps, learning rate {spec.optimizer.lr:g}"
    yield "evaluation", f"{found.work.evaluations} scorings of a benchmark, {tokens(found.work.evaluation)} tokens"
    title = DEVICES[found.device].title
    yield "on", f"{found.gpus} × {title}" if found.gpus else title
    if found.memory:
        yield "memory", memory_words(found.memory)
    if disk := found.disk:
        each = f"a checkpoint {size_of(disk.checkpoint)}, rollouts of a step {size_of(disk.rollouts_per_step)}"
        yield "disk", f"about {size_of(disk.total)} at the end, {size_of(disk.peak)} at most; {each}"
    if found.time:
        yield "time", f"{span(found.time.total)}, an estimate for the expected lengths"


def work_table(found: Estimate) -> Table:
    """Sizes of a step by stage: expected, and in brackets at most."""
    table = plain(
        "stage", "steps", "epochs", "samples a step", "sampled tokens a step", "trained tokens a step", "time"
    )
    times = {stage.name: stage for stage in found.time.stages} if found.time else {}
    for stage in found.work.stages:
        took = times.get(stage.name)
        epochs = "" if stage.epochs is None else f"{stage.epochs:.2g}"
        table.add_row(
            stage.name, str(stage.steps), epochs, f"{stage.samples_per_step:,}", tokens(stage.sampled),
            tokens(stage.trained), span(took.rollout + took.update) if took else "",
        )  # fmt: skip
    return table


def memory_table(memory: Memory) -> Table:
    table = plain("memory of each GPU" if memory.gpus else "memory", "")
    for name, words in PARTS.items():
        if size := getattr(memory, name):
            table.add_row(words, size_of(size))
    if not memory.activations:
        return table
    table.add_row("activations without and with gradient_checkpointing",
                  f"{size_of(memory.activations_kept)}, {size_of(memory.activations_recomputed)}")  # fmt: skip
    return table


# ----------------------------------------------------------------------------------------------------------- words


def summary(found: Estimate) -> str:
    """Memory and time in one line, as recipes have it."""
    assert found.memory and found.time, "a plan in one line needs a model of known size"
    where = f"{found.gpus} × {DEVICES[found.device].title}" if found.gpus else DEVICES[found.device].title
    return f"Expected on {where} (trapo plan): {memory_words(found.memory)}; {span(found.time.total)}."


def memory_words(memory: Memory) -> str:
    of = f" of {size_of(memory.available)}" if memory.available else ""
    return f"about {size_of(memory.peak)}{of}{' a GPU' if memory.gpus else ''}"


def tokens(value: Tokens) -> str:
    return f"about {count(value.expected)} (at most {count(value.at_most)})" if value.at_most else "none"


def count(number: float) -> str:
    """To two or three digits: 7.62 billion, 2.2 million, 512."""
    for unit, word in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if number >= unit:
            return f"{number / unit:.3g}{word}"
    return f"{number:.3g}"


def size_of(bytes_: float) -> str:
    """To two digits, decimal units."""
    for unit, word in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if bytes_ >= unit:
            return f"{_short(bytes_ / unit)} {word}"
    return f"{_short(bytes_ / 1e3)} kB"


def span(seconds: Seconds) -> str:
    """A range in one unit, that of its upper end: 3 to 20 h."""
    for unit, word in ((86_400 * 2, "days"), (7200, "h"), (120, "min"), (0, "s")):
        if seconds.high >= unit:
            size = {"days": 86_400, "h": 3600, "min": 60, "s": 1}[word]
            return f"{_short(seconds.low / size)} to {_short(seconds.high / size)} {word}"
    raise AssertionError("a time is not below zero")


def _short(number: float) -> str:
    """Two digits, never in powers of ten."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"
