"""Model folders, judged by their files alone, before anything heavy is loaded."""

from pathlib import Path

from trapo_core.errors import ModelError

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def check_model_folder(path: str, models_dir: Path) -> Path:
    """The folder that `path` names (relative ones lie under `models_dir`). Raises ModelError unless it is a Hugging
    Face folder with safetensors weights: pickled weights run code when loaded, so they are refused."""
    folder = models_dir / Path(path).expanduser()
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}.", f"Put it under {models_dir}, or give a Hub model.")
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json.", "Give a folder that save_pretrained wrote.")
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
        found = f" It has only pickled weights ({', '.join(pickles[:3])})." if pickles else ""
        raise ModelError(
            f"{folder} has no safetensors weights.{found}",
            "Convert it: load it where you trust it, then save_pretrained.",
        )
    return folder
