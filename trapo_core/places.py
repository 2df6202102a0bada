"""Where this machine keeps data and models; read from the environment once, by the process that starts a run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Roots under which the relative paths of a spec lie."""

    data_dir: Path
    models_dir: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Places":
        """TRAPO_DATA_DIR (default ../shared/data) and TRAPO_MODELS_DIR (default models/ under TRAPO_HOME, ~/.trapo)."""

        def folder(name: str, default: str | Path) -> Path:
            return Path(environment.get(name) or default).expanduser()  # an empty variable counts as unset

        home = folder("TRAPO_HOME", "~/.trapo")
        return cls(
            data_dir=folder("TRAPO_DATA_DIR", "../shared/data"),
            models_dir=folder("TRAPO_MODELS_DIR", home / "models"),
        )
