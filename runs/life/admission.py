"""What the service checks of a spec before it stores a run: names instead of paths, inputs that are there, GPUs that
some worker has. Everything wrong is reported at once, by JSON pointer."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from runs.settings import Settings
from trapo_core.benchmarks import origin
from trapo_core.data import demonstration_problems, load_problems, training_problems
from trapo_core.devices import DeviceName
from trapo_core.errors import DataError, FieldProblem, ModelError, SpecError
from trapo_core.estimate import estimate, room_problems
from trapo_core.model_files import check_model_folder
from trapo_core.shapes import shape_of
from trapo_core.sources import FileData, FolderModel
from trapo_core.spec import EvalSpec, TrainSpec, context_problems, parse_spec
from trapo_core.spec_sources import data_sources, hub_sources

MOST_STEPS = 1_000_000_000  # a step number fits every column of the database
NO_WORKER = "No worker is alive: the run waits until one starts (`python -m worker`)."


def admit(body: Any, settings: Settings, gpus: list[int]) -> TrainSpec | EvalSpec:
    """The validated spec. `gpus` has the number of GPUs of each live worker. SpecError names all that is wrong."""
    spec = parse_spec(body)
    problems = [*_model_problems(spec, settings.models_root), *_gpu_problems(spec, gpus)]
    problems += [*_data_problems(spec, settings.data_root), *context_problems(spec), *_length_problems(spec)]
    problems += _server_problems(spec, settings.vllm_hosts)
    if not settings.unpinned_revisions:
        problems += _revision_problems(spec)
    # A folder is read only once its name is known to be one.
    problems = problems or room_problems(spec, shape_of(spec.model, settings.models_root))
    if problems:
        raise SpecError(problems)
    return _without_alias(spec, settings.models_root)


def _without_alias(spec: TrainSpec | EvalSpec, root: Path) -> TrainSpec | EvalSpec:
    """An alias is a link under the models root (`checkpoints.py`), and may be another model's tomorrow: the run is
    given the folder that it names now."""
    if not isinstance(spec.model, FolderModel):
        return spec
    path = str((root / spec.model.path).resolve().relative_to(root.resolve()))
    return spec if path == spec.model.path else spec.model_copy(update={"model": FolderModel(path=path)})


def plan(
    spec: TrainSpec | EvalSpec, settings: Settings, gpus: list[int], device: DeviceName | None = None
) -> dict[str, Any]:
    """What an admitted spec would do and take; see `api/schemas/runs.py: Plan`. A spec that leaves the number of GPUs
    open is estimated for one, or for the CPU where no live worker has any."""
    count = min(1, max(gpus, default=1)) if spec.resources.gpus is None else None
    found = estimate(spec, shape_of(spec.model, settings.models_root), device=device, gpus=count)
    return {
        "spec": spec.model_dump(mode="json"),
        "total_steps": spec.total_steps if isinstance(spec, TrainSpec) else 0,
        "samples_per_step": found.work.stages[-1].samples_per_step if found.work.stages else 0,
        "sampled_tokens_at_most": found.work.sampled.at_most,
        "estimate": found,
        "warnings": [*([] if gpus else [NO_WORKER]), *found.warnings],
    }


def _gpu_problems(spec: TrainSpec | EvalSpec, gpus: list[int]) -> Iterator[FieldProblem]:
    wanted, most = spec.resources.gpus or 0, max(gpus, default=0)
    if wanted > most:
        yield FieldProblem(
            "/resources/gpus",
            f"{wanted} asked for, but no live worker has more than {most}.",
            "Ask for fewer, or start such a worker.",
        )


def _length_problems(spec: TrainSpec | EvalSpec) -> Iterator[FieldProblem]:
    if isinstance(spec, TrainSpec) and spec.total_steps > MOST_STEPS:
        yield FieldProblem("/steps", f"{spec.total_steps} steps are more than {MOST_STEPS}.", "Lower it.")


def _server_problems(spec: TrainSpec | EvalSpec, allowed: list[str]) -> Iterator[FieldProblem]:
    """A worker connects to this address from inside the operator's network, so a caller cannot choose just any."""
    url = spec.sampling.vllm.url if isinstance(spec, TrainSpec) else None
    if url is None or host_allowed(url, allowed):
        return
    yield FieldProblem(
        "/sampling/vllm/url",
        "this server is not one that a spec may name here.",
        f"There are: {', '.join(allowed)}." if allowed else "An operator allows servers by TRAPO_VLLM_HOSTS.",
    )


def host_allowed(url: str, allowed: list[str]) -> bool:
    """Whether the URL's host, with or without its port, is one of `allowed`."""
    try:
        parts = urlsplit(url)
        names = {f"{parts.hostname}", f"{parts.hostname}:{parts.port or 80}"}
    except ValueError:
        return False
    return "@" not in parts.netloc and parts.path in ("", "/") and bool(names & {name.lower() for name in allowed})


def _revision_problems(spec: TrainSpec | EvalSpec) -> Iterator[FieldProblem]:
    """Branches and tags move: what was checked today would be other code or data tomorrow."""
    for source in hub_sources(spec):
        if not source.pinned:
            yield FieldProblem(
                f"{source.pointer}/revision",
                f"{source.revision!r} is not a commit of the Hub.",
                "`trapo pin SPEC_FILE` writes the commit into the file, `trapo submit --pin` sends it so; by hand: the "
                f"40 characters that `git ls-remote {source.page}` shows.",
            )


def _model_problems(spec: TrainSpec | EvalSpec, root: Path) -> Iterator[FieldProblem]:
    if not isinstance(spec.model, FolderModel):
        return
    name = spec.model.path
    if problem := name_problem("/model/path", name, "models"):
        yield problem
    elif not _under(root, name).is_dir():
        yield FieldProblem("/model/path", f"there is no model folder {name!r}.", _offer(root, "*"))
    else:
        try:
            check_model_folder(name, root)
        except ModelError as error:
            yield FieldProblem("/model/path", error.message, error.hint)


def _data_problems(spec: TrainSpec | EvalSpec, root: Path) -> Iterator[FieldProblem]:
    for pointer, source in data_sources(spec):
        if not isinstance(source, FileData):
            continue
        if problem := name_problem(f"{pointer}/path", source.path, "data"):
            yield problem
        elif source.hub is None and not _under(root, source.path).is_file():
            hint = f"{_offer(root, '**/*.*')} {origin(source.path)}".strip()
            yield FieldProblem(f"{pointer}/path", f"there is no data file {source.path!r}.", hint)
        elif source.hub is None:
            yield from _content_problems(spec, pointer, source, root)


def _content_problems(spec: TrainSpec | EvalSpec, pointer: str, source: FileData, root: Path) -> Iterator[FieldProblem]:
    """What is wrong inside the file, or with the file for this spec."""
    try:
        if isinstance(spec, TrainSpec) and source is spec.data:
            demonstration_problems(spec, training_problems(spec, root), root)
        else:
            load_problems(source, root)
    except DataError as error:
        yield FieldProblem(f"{pointer}/path", error.message, error.hint)
    except SpecError as error:
        yield from error.problems


def name_problem(pointer: str, name: str, root: str) -> FieldProblem | None:
    """A caller names things; it never gives paths that could leave the root."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        return FieldProblem(
            pointer, f"{name!r} is not a name under the {root} root.", "Use a relative name without '..'."
        )
    return None


def _under(root: Path, name: str) -> Path:
    """The file of that name, or a file that is not there if a link leads out of the root."""
    path = (root / name).resolve()
    return path if path.is_relative_to(root.resolve()) else root / "\uffff outside"


def _offer(root: Path, pattern: str) -> str:
    names = sorted(str(path.relative_to(root)) for path in root.glob(pattern) if not path.name.startswith("."))[:12]
    return f"There are: {', '.join(names)}." if names else f"The service's folder for it, {root}, is empty."
