"""What the dashboard weighs: everything that a browser may ever fetch of it."""

import gzip

import pytest

from runs.settings import REPOSITORY

DIST = REPOSITORY / "frontend" / "dist"


def test_all_scripts_together_are_small() -> None:
    if not DIST.is_dir():
        pytest.skip("the dashboard is not built: npm ci && npm run build in frontend/")
    scripts = {path.name: len(gzip.compress(path.read_bytes())) for path in DIST.rglob("*.js")}
    assert 0 < sum(scripts.values()) <= 150_000, scripts
