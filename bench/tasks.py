"""Models and problems that several benches share: the small world, or GSM8K with a tiny random model."""

from pathlib import Path
from typing import Any

from trapo_core.base import small_world_base
from trapo_core.data import load_problems
from trapo_core.model import init_tiny, new_qwen2, publish, small_world_tokenizer
from trapo_core.places import Places
from trapo_core.sources import FileData, SmallWorldModel

SIZES = {
    "small": {"hidden_size": 64, "layers": 2, "heads": 4},
    "large": {"hidden_size": 512, "layers": 9, "heads": 8},
}
DATA: dict[str, dict[str, Any]] = {
    "small_world": {"format": "small_world", "min_ops": 3, "max_ops": 6, "problems": 512},
    "gsm8k": {"format": "gsm8k", "path": "gsm8k/train.jsonl", "limit": 512},
}
MAX_TOKENS = {"small_world": 40, "gsm8k": 96}


def model_folder(size: str, data: str, folder: Path) -> Path:
    """The small world's base if it is asked for in its own size, else random weights below `folder`."""
    places = Places.from_environment()
    if data == "gsm8k":
        problems = load_problems(FileData(**DATA[data]), places.data_dir)
        texts = [text for problem in problems for text in (problem.prompt, *problem.traces)]
        return init_tiny(texts, folder / size, vocab_size=1024, context=1024, **SIZES[size])
    if size == "small":
        return small_world_base(SmallWorldModel(), places.models_dir, lambda *_: None, lambda: None)
    tokenizer = small_world_tokenizer()
    return publish(folder / size, new_qwen2(tokenizer, context=160, seed=0, **SIZES[size]), tokenizer)
