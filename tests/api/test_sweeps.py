"""Sweeps, over HTTP: all runs or none, counted and cancelled together."""

import pytest
from sqlalchemy import func, select

from runs.db import reading
from runs.tables import RunRow, SweepRow


def sweep(client, spec, headers=None, **body):
    return client.post("/api/v1/sweeps", json={"spec": spec, **body}, headers=headers)


def test_a_sweep_makes_a_run_for_every_combination_and_seed(client, spec):
    matrix = {"optimizer.lr": [1e-4, 3e-4], "method": ["trapo", "grpo"]}
    answer = sweep(client, spec, matrix=matrix, seeds=[1, 2, 3], priority=-2)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["states"], made["matrix"], made["seeds"]) == ({"queued": 12}, matrix, [1, 2, 3])
    assert client.get(answer.headers["location"]).json() == made
    runs = [client.get(f"/api/v1/runs/{run['id']}").json() for run in made["runs"]]
    points = {(run["spec"]["optimizer"]["lr"], run["spec"]["method"], run["spec"]["seed"]) for run in runs}
    assert len(points) == 12
    assert {run["method"] for run in runs} == {"trapo", "grpo"}
    assert all((run["sweep_id"], run["priority"]) == (made["id"], -2) for run in runs)
    assert runs[0]["name"] == "first lr=0.0001 method=trapo seed=1"
    assert runs[0]["overrides"] == {"optimizer.lr": 1e-4, "method": "trapo", "seed": 1}
    listed = client.get("/api/v1/runs", params={"sweep": made["id"]}).json()["data"]
    assert len(listed) == 12


def test_a_sweep_counts_its_runs_by_state_and_cancels_those_that_have_not_ended(client, spec):
    made = sweep(client, spec, seeds=[1, 2, 3]).json()
    first, second, _ = [run["id"] for run in made["runs"]]
    client.post(f"/api/v1/runs/{first}/pause")
    client.post(f"/api/v1/runs/{second}/cancel")
    (listed,) = client.get("/api/v1/sweeps").json()["data"]
    assert listed["states"] == {"queued": 1, "paused": 1, "cancelled": 1}
    assert client.post(f"/api/v1/sweeps/{made['id']}/cancel").json()["states"] == {"cancelled": 3}
    assert client.post(f"/api/v1/sweeps/{made['id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"matrix": {"optimizer.lr": [1e-4, -1]}}, "/matrix/optimizer.lr"),
        ({"matrix": {"optimizer.lr": [1e-4, 1e-4]}}, "/matrix/optimizer.lr"),
        ({"matrix": {"seed": [1]}}, "/matrix/seed"),
        ({"matrix": {"steps.x": [1]}}, "/matrix/steps.x"),
        ({"matrix": {"steps": []}}, "/matrix/steps"),
        ({"matrix": {"steps": list(range(1, 130))}, "seeds": [1, 2]}, "/matrix"),
        ({"matrix": {f"a{n}": list(range(256)) for n in range(8)}}, "/matrix"),
        ({"seeds": [1, 1]}, "/seeds"),
    ],
)
def test_a_wrong_sweep_makes_nothing_and_says_where(client, engine, spec, body, pointer):
    answer = sweep(client, spec, **body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(RunRow)) == 0
        assert session.scalar(select(func.count()).select_from(SweepRow)) == 0


def test_a_wrong_field_of_the_spec_itself_is_found_there(client, spec):
    answer = sweep(client, spec | {"steps": 0}, matrix={"optimizer.lr": [1e-4]})
    assert answer.json()["errors"][0]["pointer"] == "/spec/steps"


def test_the_same_idempotency_key_makes_one_sweep(client, spec):
    key = {"Idempotency-Key": "abc"}
    one, two = [sweep(client, spec, key, seeds=[1, 2]) for _ in range(2)]
    assert one.json() == two.json()
    assert (one.headers["idempotency-replayed"], two.headers["idempotency-replayed"]) == ("false", "true")
    assert client.post("/api/v1/runs", json=spec, headers=key).json()["code"] == "idempotency_key_reused"


def test_sweeps_come_in_pages_and_an_unknown_one_is_not_found(client, spec):
    ids = [sweep(client, spec, name=name).json()["id"] for name in "abc"]
    page = client.get("/api/v1/sweeps?limit=2").json()
    rest = client.get("/api/v1/sweeps", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in page["data"] + rest["data"]] == ids[::-1]
    for answer in (client.get("/api/v1/sweeps/swp_none"), client.post("/api/v1/sweeps/swp_none/cancel")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def listed(client, **query):
    return [one["id"] for one in client.get("/api/v1/sweeps", params=query).json()["data"]]


def test_a_sweep_is_archived_and_deleted_with_its_runs_and_comes_back_with_them(client, spec):
    sweep_id = sweep(client, spec, seeds=[1, 2]).json()["id"]
    other = sweep(client, spec, seeds=[3]).json()["id"]
    url = f"/api/v1/sweeps/{sweep_id}"
    client.post(f"{url}/cancel")
    assert client.post(f"{url}/archive").json()["archived_at"]
    assert (listed(client), listed(client, archived=True)) == ([other], [sweep_id])
    assert len(client.get("/api/v1/runs").json()["data"]) == 1
    assert client.post(f"{url}/unarchive").json()["archived_at"] is None
    for _ in range(2):  # a second time changes nothing
        assert client.delete(url).json()["deleted_at"]
    assert (listed(client), listed(client, deleted=True), listed(client, archived=True)) == ([other], [sweep_id], [])
    assert len(client.get("/api/v1/runs?deleted=true").json()["data"]) == 2
    assert client.post(f"{url}/archive").status_code == 409
    back = client.post(f"{url}/undelete").json()
    assert (back["deleted_at"], back["states"]) == (None, {"cancelled": 2})
    assert listed(client) == [other, sweep_id]
    run_id = back["runs"][0]["id"]
    events = client.get(f"/api/v1/runs/{run_id}/events").json()["data"]
    marks = [one["type"] for one in events if one["type"] not in ("run_created", "run_state")]
    assert marks == ["run_archived", "run_unarchived", "run_deleted", "run_undeleted"]


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/archive")])
def test_a_sweep_with_a_run_that_waits_is_not_put_away_and_the_run_is_named(client, spec, method, path):
    made = sweep(client, spec, seeds=[1, 2]).json()
    over, waiting = [run["id"] for run in made["runs"]]
    client.post(f"/api/v1/runs/{over}/cancel")
    answer = client.request(method, f"/api/v1/sweeps/{made['id']}{path}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert f"Run {waiting} of sweep {made['id']} is queued" in answer.json()["detail"]
    run = client.get(f"/api/v1/runs/{over}").json()
    assert (run["archived_at"], run["deleted_at"]) == (None, None)
    assert listed(client) == [made["id"]]


def test_a_sweep_is_gone_from_the_lists_when_its_runs_are_put_away_one_by_one(client, spec):
    made = sweep(client, spec, seeds=[1, 2]).json()
    one, two = [run["id"] for run in made["runs"]]
    client.post(f"/api/v1/sweeps/{made['id']}/cancel")
    client.post(f"/api/v1/runs/{one}/archive")
    assert listed(client) == [made["id"]]
    client.delete(f"/api/v1/runs/{two}")
    assert (listed(client), listed(client, archived=True)) == ([], [made["id"]])
    assert client.post(f"/api/v1/runs/{one}/retry").status_code == 200
    assert listed(client) == [made["id"]]
