"""Problems and trust region over REST, on both databases."""

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from runs.db import make_engine, writing
from runs.life import leases
from runs.life.leases import Worker
from runs.migrate import upgrade
from runs.record.ingest import ingest
from trapo_core.events import (
    AttemptStarted,
    EventWriter,
    ExpertTokens,
    GuidanceDone,
    PrefixLengths,
    ProblemOutcomes,
)
from trapo_core.expert_bins import P_BINS


@pytest.fixture(params=["sqlite", "postgresql"])
def told(request, make_settings, spec):
    """(client, path of a run) that has taken three steps on two problems each."""
    more = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("postgres_url")}
    settings = make_settings(**more)
    engine = make_engine(settings.database_url)
    upgrade(engine)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {(settings.home / 'admin-key').read_text().strip()}"
        run_id = client.post("/api/v1/runs", json=spec).json()["id"]
        with writing(engine) as session:
            lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
        run_dir = settings.run_dir(run_id)
        run_dir.mkdir(parents=True)
        tell = EventWriter(run_dir)
        tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=10, pid=1), *map(step, (1, 2, 3)))
        tell.close()
        ingest(engine, lease, run_dir)
        yield client, f"/api/v1/runs/{run_id}"
    engine.dispose()


def step(number):
    return GuidanceDone(
        step=number,
        slots=[],
        prefix_lengths=PrefixLengths(bin_tokens=8, counts=[5, 1], rewards=[4.0, 1.0]),
        problems=ProblemOutcomes(
            samples=[2, 1], ids=["easy", f"hard-{number}"], ratios=[[0, 0], [0, 0.5]], rewards=[[2, 1], [0, 1]],
            texts={f"hard-{number}": "<script>alert(1)</script>"},
        ),
        expert_tokens=ExpertTokens(alpha=0.05, counts=[[number] * P_BINS], inside=[4]),
    )  # fmt: skip


def test_problems_come_with_their_history_a_page_at_a_time(told):
    client, path = told
    first = client.get(f"{path}/problems?limit=2").json()
    assert [row["problem"] for row in first["data"]] == ["hard-1", "hard-2"]
    assert first["data"][0] == {
        "problem": "hard-1", "text": "<script>alert(1)</script>", "visits": 1, "last_step": 1, "help": 0.5, "alone": 0,
        "history": [{"step": 1, "samples": [2, 1], "ratios": [0, 0.5], "rewards": [0, 1]}],
    }  # fmt: skip
    assert first["shares"] == [1, 0, 0, 0, 0, 3, 0, 0, 0, 0]
    rest = client.get(f"{path}/problems", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["problem"] for row in rest["data"]] == ["hard-3", "easy"]
    assert rest["next_cursor"] is None
    (easy,) = client.get(f"{path}/problems?contains=EAS&visits=2").json()["data"]
    assert (easy["visits"], [visit["step"] for visit in easy["history"]]) == (3, [2, 3])


def test_what_cannot_be_asked_is_refused(told):
    client, path = told
    for query in ("sort=reward", "limit=0", "limit=101", "contains=", "contains=%00", "cursor=x", "visits=0"):
        assert client.get(f"{path}/problems?{query}").status_code in (400, 422), query
    for part in ("problems", "trust-region"):
        assert client.get(f"/api/v1/runs/run_none/{part}").status_code == 404
    assert client.get(f"{path}/trust-region?from_step={2**63}").status_code == 422


def test_the_trust_region_of_a_window(told):
    client, path = told
    whole = client.get(f"{path}/trust-region").json()
    assert (whole["alpha"], whole["steps"], whole["steps_told"], whole["inside"]) == (0.05, 3, 3, [12])
    assert (whole["first_places"], len(whole["edges"])) == ([1], P_BINS + 1)
    assert client.get(f"{path}/trust-region?from_step=2&to_step=2").json()["counts"] == [[2] * P_BINS]
    nothing = client.get(f"{path}/trust-region?from_step=9").json()
    assert (nothing["alpha"], nothing["counts"]) == (None, [])
    lengths = client.get(f"{path}/guidance?points=1").json()["data"][0]["prefix_lengths"]
    assert lengths["rewards"] == [12.0, 3.0]
