"""What the dashboard weighs: everything that a browser may ever fetch of it."""

import gzip
from collections.abc import Callable

import pytest

from runs.settings import REPOSITORY

DIST = REPOSITORY / "frontend" / "dist"


def test_all_scripts_together_are_small(budget: Callable[..., None]) -> None:
    if not DIST.is_dir():
        pytest.skip("the dashboard is not built: npm ci && npm run build in frontend/")
    scripts = [len(gzip.compress(path.read_bytes())) for path in DIST.rglob("*.js")]
    assert scripts
    budget("all scripts, gzip", sum(scripts) / 1000, unit="KB", most=150)
