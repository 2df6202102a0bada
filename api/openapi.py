"""`python -m api.openapi`: print openapi.json, the same bytes each time; `api/openapi.json` is its committed copy."""

import json
import sys
from pathlib import Path

from api.main import create_app
from runs.settings import Settings

COMMITTED = Path(__file__).parent / "openapi.json"


def render() -> str:
    return json.dumps(create_app(Settings(_env_file=None)).openapi(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
