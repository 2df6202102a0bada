"""Files of the Hugging Face Hub: one of a data set, or one of a model that is here already.

Needs `huggingface_hub`, which service-only installs do not have.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trapo_core.errors import DataError


def download(repo: str, path: str, revision: str) -> Path:
    """Local path of `path` in the data set `repo` at `revision`; from the cache where it is there already.

    Honours huggingface_hub's own settings (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE). Raises DataError when the package is
    missing or the Hub does not hand the file out.
    """
    hub = _package(f"{repo}/{path}")
    try:
        return Path(hub.hf_hub_download(repo, path, repo_type="dataset", revision=revision))
    except (hub.errors.EntryNotFoundError, hub.errors.HFValidationError, OSError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{repo}/{path} at {revision} cannot be had from the Hub: {first_line}",
            "Check data set, path, revision and the network; a private data set needs HF_TOKEN. "
            "Or put the file under the data root and leave `hub` out.",
        ) from error


def cached_model_file(repo: str, name: str, revision: str) -> Path | None:
    """Where the Hub's cache has a file of a model; None where it has not. Asks no network."""
    if find_spec("huggingface_hub") is None:
        return None
    found = import_module("huggingface_hub").try_to_load_from_cache(repo, name, revision=revision)
    return Path(found) if isinstance(found, str) else None  # a special value: known to be missing


def _package(wanted: str) -> Any:
    # By name: this file is imported where the package is not installed, and must say so only when it is asked.
    if find_spec("huggingface_hub") is None:
        raise DataError(
            f"{wanted} is on the Hub, and the package huggingface_hub is missing.", "pip install huggingface_hub"
        )
    return import_module("huggingface_hub")
