"""`trapo pin`: the branches and tags of the Hub that a spec file names become commits, which a service asks for."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from client.errors import UsageError
from client.hub_commits import Found, resolve
from client.options import Json, SpecFiles, results_console
from client.pinned_text import Commits, pinned_spec, pinned_text
from client.printing import print_json
from client.specfile import Spec
from trapo_core.errors import SpecError
from trapo_core.spec import parse_spec
from trapo_core.spec_file import parse_documents
from trapo_core.spec_sources import HubSource, hub_sources


@dataclass(frozen=True)
class SpecFile:
    """A file as it stands, and what each of its specs names of the Hub."""

    path: Path
    text: str
    specs: list[Spec]
    sources: list[list[HubSource]]


def pin(
    specs: SpecFiles,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there, not into the file itself.", show_default=False)
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is pinned; exit with 1 if not all is. Needs no network.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the commits that branches and tags of the Hub stand for now into a spec's file."""
    if out and (check or len(specs) > 1):
        raise UsageError("--out is for one file that is written.", "Leave out --check, and name one file.")
    files = [_read(path) for path in specs]
    if check:
        return _check(files, json)
    found = resolve(source for file in files for each in file.sources for source in each if not source.pinned)
    texts = [pinned_text(file.path, file.text, file.specs, _commits(file.sources, found)) for file in files]
    for file, text in zip(files, texts, strict=True):
        if out or any(_commits(file.sources, found)):
            _write(out or file.path, text)
    if json:
        return print_json([_facts(file, source, found) for file in files for source in _each(file)])
    for file in files:
        print_found(results_console(), found, _each(file))
        results_console().print(f"{escape(str(out or file.path))}  {_said(file)}", highlight=False, soft_wrap=True)


def pin_specs(specs: list[Spec], console: Console) -> list[Spec]:
    """The same specs with commits in them, for `submit --pin`. What was found is told on `console`."""
    sources = [list(hub_sources(parse_spec(spec))) for spec in specs]
    found = resolve(source for each in sources for source in each if not source.pinned)
    print_found(console, found, list(found))
    return [pinned_spec(spec, commits) for spec, commits in zip(specs, _commits(sources, found), strict=True)]


def print_found(console: Console, found: Mapping[HubSource, Found], sources: list[HubSource]) -> None:
    for source in sources:
        one = found.get(source)
        told = f"{escape(source.revision)} → {one.commit}" if one else f"[dim]{source.revision}, pinned already[/]"
        console.print(f"{source.pointer}  {escape(source.id)}  {told}", highlight=False, soft_wrap=True)
        if one and one.gated:
            text = f"  gated: the workers need HF_TOKEN of somebody who accepted its terms, at {source.page}"
            console.print(f"[yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)


# ----------------------------------------------------------------------------------------------------------------


def _read(path: Path) -> SpecFile:
    try:
        text = path.read_bytes().decode()
        specs = parse_documents(path, text)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8.") from error
    except SpecError as error:
        [problem] = error.problems
        raise UsageError(problem.message, problem.hint) from error
    return SpecFile(path, text, specs, [list(hub_sources(parse_spec(spec))) for spec in specs])


def _commits(sources: list[list[HubSource]], found: Mapping[HubSource, Found]) -> list[Commits]:
    return [{source.pointer: found[source].commit for source in each if source in found} for each in sources]


def _each(file: SpecFile) -> list[HubSource]:
    """Once each, though several specs of the file name it."""
    return list(dict.fromkeys(source for each in file.sources for source in each))


def _check(files: list[SpecFile], json: bool) -> None:
    if json:
        print_json([_facts(file, source, {}) for file in files for source in _each(file)])
    else:
        for file in files:
            _print_check(file)
    if not all(source.pinned for file in files for source in _each(file)):
        raise typer.Exit(1)


def _print_check(file: SpecFile) -> None:
    console = results_console()
    for source in (source for source in _each(file) if not source.pinned):
        text = f"{file.path}  {source.pointer}/revision  {source.id}  {source.revision!r} is not a commit"
        console.print(f"[red]{escape(text)}[/]", highlight=False, soft_wrap=True)
    if all(source.pinned for source in _each(file)):
        console.print(f"{escape(str(file.path))}  {_said(file)}", highlight=False, soft_wrap=True)


def _facts(file: SpecFile, source: HubSource, found: Mapping[HubSource, Found]) -> dict[str, object]:
    one = found.get(source)
    commit = one.commit if one else source.revision if source.pinned else None
    return {"file": str(file.path), **asdict(source), "commit": commit, "gated": one.gated if one else None}


def _said(file: SpecFile) -> str:
    return "pinned" if _each(file) else "names nothing of the Hub"


def _write(path: Path, text: str) -> None:
    """Whole or as it was, with the mode that it had; through a link, into what it leads to."""
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        temporary.write_bytes(text.encode())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)
