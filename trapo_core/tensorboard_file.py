"""TensorBoard's event files, by the package's own writer and protocol: neither torch nor TensorFlow is needed."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

PROTO = "tensorboard.compat.proto"


class TensorBoardFile:
    """A new event file in `folder`. Readers drop what earlier files hold from step `begins_at` on."""

    def __init__(self, folder: Path, begins_at: int, at: float) -> None:
        self._event = import_module(f"{PROTO}.event_pb2")
        self._summary = import_module(f"{PROTO}.summary_pb2")
        self._writer = import_module("tensorboard.summary.writer.event_file_writer").EventFileWriter(str(folder))
        start = self._event.SessionLog(status=self._event.SessionLog.START)
        self._write(begins_at, at, session_log=start)

    def scalars(self, step: int, values: Mapping[str, float], at: float) -> None:
        found = [self._summary.Summary.Value(tag=key, simple_value=value) for key, value in values.items()]
        self._write(step, at, summary=self._summary.Summary(value=found))

    def text(self, tag: str, config: Mapping[str, Any], at: float) -> None:
        """What TensorBoard's text tab shows as Markdown."""
        about = import_module("tensorboard.plugins.text.metadata")
        markdown = "\n".join(f"    {line}" for line in json.dumps(config, indent=2).splitlines())
        tensor = import_module(f"{PROTO}.tensor_pb2").TensorProto(
            dtype=import_module(f"{PROTO}.types_pb2").DT_STRING, string_val=[markdown.encode()]
        )
        value = self._summary.Summary.Value(
            tag=f"{tag}/text_summary",
            metadata=about.create_summary_metadata(display_name=tag, description=""),
            tensor=tensor,
        )
        self._write(0, at, summary=self._summary.Summary(value=[value]))

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _write(self, step: int, at: float, **content: Any) -> None:
        self._writer.add_event(self._event.Event(wall_time=at, step=step, **content))
