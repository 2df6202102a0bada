"""TRAPO (arXiv 2512.17636): supervised fine-tuning and reinforcement learning inside one training instance.

`from trapo_core import train, evaluate, TrainSpec, EvalSpec` is what a notebook needs (docs/python.md); everything else
is imported from its module. Nothing is loaded before it is asked for, so that reading a spec never loads torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trapo_core.notebook import evaluate as evaluate
    from trapo_core.notebook import train as train
    from trapo_core.spec import EvalSpec as EvalSpec
    from trapo_core.spec import TrainSpec as TrainSpec

_HOMES = {
    "train": "trapo_core.notebook",
    "evaluate": "trapo_core.notebook",
    "TrainSpec": "trapo_core.spec",
    "EvalSpec": "trapo_core.spec",
}
__all__ = ["EvalSpec", "TrainSpec", "evaluate", "train"]


class _Package(ModuleType):
    """`trapo_core.train` is the function, also once the module of that name is loaded.

    Importing a submodule sets it as an attribute of its package; here the names of _HOMES are not given away. The
    modules are had by `from trapo_core.train import ...`.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_HOMES})


sys.modules[__name__].__class__ = _Package
