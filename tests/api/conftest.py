"""The app over a real database, with a client that has the admin's key."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.main import create_app
from runs.settings import Settings

SPEC = {
    "name": "first",
    "tags": ["a"],
    "model": {"source": "small_world"},
    "data": {"format": "small_world"},
    "sampling": {"max_tokens": 40},
    "steps": 10,
    "prompts_per_step": 4,
}


@pytest.fixture
def spec() -> dict[str, object]:
    return dict(SPEC)


@pytest.fixture
def client(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as made:
        made.headers["Authorization"] = f"Bearer {(settings.home / 'admin-key').read_text().strip()}"
        yield made


@pytest.fixture
def stranger(client: TestClient) -> TestClient:
    """The same app without any key."""
    return TestClient(client.app)


@pytest.fixture
def run_id(client: TestClient, spec: dict[str, object]) -> str:
    made: str = client.post("/api/v1/runs", json=spec).json()["id"]
    return made
