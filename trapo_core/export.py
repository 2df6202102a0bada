"""A trained model as a folder to give away: the checkpoint's Hugging Face files, and a card of where it is from."""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from trapo_core.errors import ExportError
from trapo_core.events import AttemptStarted, BenchmarkScore, Event, read_events
from trapo_core.sources import FolderModel, HubModel, ModelSource
from trapo_core.spec import TrainSpec, parse_spec

PAPER = "https://arxiv.org/abs/2512.17636"
CITATION = """\
@misc{su2025trapo,
  title  = {Trust-Region Adaptive Policy Optimization},
  author = {Su, Mingyu and others},
  year   = {2025},
  eprint = {2512.17636},
  archivePrefix = {arXiv},
}"""
# What a reader of the card wants to know of the spec, in this order.
SUMMARY = ("method", "steps", "prompts_per_step", "seed", "dtype", "template", "optimizer", "sampling", "lora")


def export(run_dir: Path, out: Path, step: int | None = None) -> Path:
    """Copy the checkpoint of `step` (the newest) to the new folder `out`, with a model card; complete or absent.

    Raises ExportError where the run, its checkpoint or the place for it is not as it must be.
    """
    if out.exists():
        raise ExportError(f"{out} exists.", "Give another --out.")
    source = find_checkpoint(run_dir, step)
    card = model_card(_spec(run_dir), read_events(run_dir), _step_of(source))
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for file in sorted(path for path in source.iterdir() if path.is_file() and path.name != "pinned"):
            shutil.copy2(file, temporary / file.name)
        (temporary / "README.md").write_text(card)
        temporary.chmod(0o755)
        os.rename(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def find_checkpoint(run_dir: Path, step: int | None) -> Path:
    """Its folder. Raises ExportError that names the steps that there are."""
    found = {
        _step_of(path.parents[1]): path.parents[1] for path in run_dir.glob("checkpoints/step-*/trainer/state.json")
    }
    if not found:
        raise ExportError(f"{run_dir} has no checkpoint.", "Give the folder of a run that has saved one.")
    wanted = max(found) if step is None else step
    if wanted not in found:
        steps = ", ".join(map(str, sorted(found)))
        raise ExportError(f"{run_dir} has no checkpoint of step {step}.", f"It has: {steps}.")
    return found[wanted]


def model_card(spec: TrainSpec, events: Sequence[Event], step: int) -> str:
    """The README.md of a model: front matter for the Hub, then what it is, how it was made and how it scored."""
    head: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": sorted({"trapo", spec.method}),
    }
    if isinstance(spec.model, HubModel):
        head["base_model"] = spec.model.id
    chosen = {name: value for name, value in spec.model_dump(mode="json").items() if name in SUMMARY and value}
    summary = {name: chosen[name] for name in SUMMARY if name in chosen}
    return "\n".join(
        [
            "---", yaml.safe_dump(head, sort_keys=False).rstrip(), "---", "",
            f"# {spec.name or spec.method}", "",
            f"{_base(spec.model)}, trained for {step} steps by the method `{spec.method}`.", "",
            "## Scores", "", *_scores(events, step), "",
            "## How it was made", "", "```yaml", yaml.safe_dump(summary, sort_keys=False).rstrip(), "```", "",
            f"Versions: {_versions(events)}.", "",
            "## Licence", "",
            "Not stated here. The base model and the training data have licences of their own; whoever publishes this"
            " chooses one that they allow.", "",
            "## Citation", "", f"The method TRAPO: {PAPER}", "", "```bibtex", CITATION, "```", "",
        ]
    )  # fmt: skip


def push(folder: Path, repository: str) -> str:
    """Upload an exported folder to the Hub, with the user's own token; its address. Raises ExportError."""
    try:
        from huggingface_hub import HfApi, constants  # noqa: PLC0415 - needed by those who publish only
        from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise ExportError("--push needs the package huggingface_hub.", "pip install huggingface_hub") from error
    kept = f"The exported folder is {folder}."
    if constants.HF_HUB_OFFLINE:
        raise ExportError("the Hub is switched off by HF_HUB_OFFLINE.", f"Unset it. {kept}")
    api = HfApi()
    try:
        api.create_repo(repository, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder)
    except LocalTokenNotFoundError as error:
        raise ExportError(
            "the Hub knows no token of yours.", f"Run `hf auth login`, or set HF_TOKEN. {kept}"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise ExportError(
            f"the Hub did not take {repository}: {error}", f"Check name, token and network. {kept}"
        ) from error
    return f"{constants.ENDPOINT}/{repository}"


# ----------------------------------------------------------------------------------------------------------------------


def _spec(run_dir: Path) -> TrainSpec:
    spec = parse_spec(json.loads((run_dir / "spec.json").read_text()))
    if not isinstance(spec, TrainSpec):
        raise ExportError(f"{run_dir} is an evaluation.", "Give the folder of a training run.")
    return spec


def _step_of(folder: Path) -> int:
    return int(folder.name.removeprefix("step-"))


def _base(model: ModelSource) -> str:
    if isinstance(model, HubModel):
        return f"[{model.id}](https://huggingface.co/{model.id}) at revision `{model.revision}`"
    return f"The model in `{model.path}`" if isinstance(model, FolderModel) else f"A `{model.source}` model"


def _scores(events: Sequence[Event], step: int) -> list[str]:
    """A table of the last scores of this step."""
    last = {(e.benchmark, e.metric): e for e in events if isinstance(e, BenchmarkScore) and e.step == step}
    if not last:
        return ["Not evaluated at this step."]
    rows = [
        f"| {e.benchmark} | {e.metric} | {e.score:.3f} | [{e.low:.3f}, {e.high:.3f}] | {e.problems} × {e.samples} |"
        for e in last.values()
    ]
    confidence = next(iter(last.values())).confidence
    interval = f"{confidence:.0%} interval"
    return [f"| benchmark | metric | score | {interval} | problems × samples |", "|---|---|---|---|---|", *rows]


def _versions(events: Sequence[Event]) -> str:
    attempts = [event for event in events if isinstance(event, AttemptStarted)]
    versions = attempts[-1].versions if attempts else {}
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "not known"
