"""`trapo models`, `trapo datasets`: what a spec can name on this service; on its host, what is added and taken away."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from client import service_tables
from client.api import Client
from client.groups import ListsAlone, group
from client.host import Home, folder_of, run_on_host
from client.options import Json, Key, Url, results_console
from client.places import writing_environment
from client.plan_tables import size_of
from client.printing import print_json

models = group(
    "models", "List the models that a spec may name; on the service's host, add and remove them.", ListsAlone
)
datasets = group("datasets", "List the data sets that a spec may name; on the host, add and remove them.", ListsAlone)

NO_MODELS = """No models yet. A spec may name these without any: {source: small_world}; {source: hub, id: OWNER/NAME}.
On the service's host, `trapo models add FOLDER` adds a folder that save_pretrained wrote (safetensors).
`trapo checkpoints promote RUN STEP ALIAS` names a model that a run saved."""
NO_DATASETS = """No data sets yet. A spec may name these without any: {format: small_world}; a file of a Hub data set,
{format: FORMAT, hub: OWNER/NAME, path: FILE}.
On the service's host, `trapo datasets add FILE` adds a .jsonl or .parquet file of problems."""
Name = Annotated[
    str | None, typer.Option("--name", help="What a spec calls it; default: as it is called.", show_default=False)
]
Named = Annotated[str, typer.Argument(metavar="NAME", help="As the list shows it.", show_default=False)]


@models.command("ls")
def ls_models(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """List the model folders and aliases that a spec may name, and what is wrong with the others."""
    with Client.from_home(url, api_key) as client:
        found = client.list_models()
    if json:
        return print_json(found)
    _print_list(service_tables.models(found) if found else None, NO_MODELS)


@models.command("add")
def add_model(
    folder: Annotated[Path, typer.Argument(metavar="PATH", help="A model folder.", show_default=False)],
    name: Name = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Add a model folder, whole or not at all; hard-linked where the disk is the same. On the service's host."""
    _add("model", folder, name, home, json)


@models.command("rm")
def rm_model(name: Named, home: Home = None, json: Json = False) -> None:
    """Remove a model folder or an alias, unless a run that is not over begins with it. On the service's host."""
    _remove("model", name, home, json)


@datasets.command("ls")
def ls_datasets(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """List the files of problems that a spec may name, and what is wrong with the others."""
    with Client.from_home(url, api_key) as client:
        found = client.list_datasets()
    if json:
        return print_json(found)
    _print_list(service_tables.datasets(found) if found else None, NO_DATASETS)


@datasets.command("add")
def add_dataset(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .jsonl or .parquet file of problems.", show_default=False)
    ],
    name: Name = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Add a file of problems, whole or not at all; hard-linked where the disk is the same. On the service's host."""
    _add("dataset", file, name, home, json)


@datasets.command("rm")
def rm_dataset(name: Named, home: Home = None, json: Json = False) -> None:
    """Remove a file of problems, unless a run that is not over reads it. On the service's host."""
    _remove("dataset", name, home, json)


# ----------------------------------------------------------------------------------------------------------------

Kind = Literal["model", "dataset"]


def _add(kind: Kind, path: Path, name: str | None, home: Path | None, json: bool) -> None:
    words = [kind, "add", *(["--name", name] if name is not None else []), "--", str(path.expanduser().absolute())]
    made = run_on_host("runs.inputs.registration", words, _environment(kind, home))
    if json:
        return print_json(made)
    console = results_console()
    _line(console, f"{escape(made['name'])}  {_size(kind, made['facts'])}  [dim]{escape(made['path'])}[/]")
    if made["left_out"]:
        _line(console, f"[dim]Left out, for it is no part of a model: {escape(', '.join(made['left_out']))}[/]")
    [(field, part)] = made["spec"].items()
    _line(console, f"In a spec: {field}: {{{', '.join(f'{key}: {escape(value)}' for key, value in part.items())}}}")


def _environment(kind: Kind, home: Path | None) -> dict[str, str]:
    return writing_environment(folder_of(home), "TRAPO_MODELS_DIR" if kind == "model" else "TRAPO_DATA_DIR")


def _size(kind: Kind, facts: dict[str, Any]) -> str:
    size = size_of(facts["bytes"])
    if kind == "model":
        count = f"{facts['parameters'] / 1e6:,.1f} M parameters, " if facts["parameters"] else ""
        return f"{count}{size}"
    if facts["problems"] is None:
        return f"{facts['format']}, {size}, too large to be read to its end here"
    count = "1 problem" if facts["problems"] == 1 else f"{facts['problems']:,} problems"
    return f"{facts['format']}, {count} {'with' if facts['traces'] else 'without'} traces, {size}"


def _remove(kind: Kind, name: str, home: Path | None, json: bool) -> None:
    gone = run_on_host("runs.inputs.registration", [kind, "rm", "--", name], _environment(kind, home))
    if json:
        return print_json(gone)
    _line(results_console(), f"{escape(gone['name'])}  removed")


def _print_list(table: Any, nothing: str) -> None:
    results_console().print(table or escape(nothing), highlight=False, soft_wrap=not table)


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
