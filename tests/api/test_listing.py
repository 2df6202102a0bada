"""Runs found, sorted, paged; and renamed by whoever saw the last name."""

import base64
import json

import pytest

from runs.db import writing
from runs.life import leases
from runs.life.leases import Worker
from runs.tables import RunRow


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, make_settings):
    url = "" if request.param == "sqlite" else request.getfixturevalue("migrated_postgres_url")
    return make_settings(database_url=url)


@pytest.fixture
def runs(client, engine, make_run):
    """Ids of seven runs by name: a to g, with rewards that rise, then fall; g has none."""
    ids = {}
    for name, reward in zip("abcdefg", (0.1, 0.3, 0.5, 0.5, 0.4, 0.2, None), strict=True):
        ids[name] = make_run(engine, f"run {name.upper()}", tags=["odd"] if name in "aceg" else ["even", "o"])
        with writing(engine) as session:
            run = session.get_one(RunRow, ids[name])
            run.reward, run.score = reward, reward
            run.state = "paused" if name in "ab" else "queued"
    return ids


def names(client, **params):
    found, cursor = "", None
    while True:
        page = client.get("/api/v1/runs", params=params | ({"cursor": cursor} if cursor else {})).json()
        found += "".join(run["name"][-1].lower() for run in page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found
        assert len(page["data"]) == params["limit"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "gfedcba"),
        ({"state": "paused"}, "ba"),
        ({"state": ["paused", "queued"]}, "gfedcba"),
        ({"tag": "odd"}, "geca"),
        ({"tag": "o"}, "fdb"),
        ({"tag": ["even", "odd"]}, ""),
        ({"name": "N c"}, "c"),
        ({"name": "%"}, ""),
        ({"min_reward": 0.4}, "edc"),
        ({"min_score": 0.2, "max_score": 0.3}, "fb"),
        ({"method": "trapo", "kind": "train", "created_by": "tester"}, "gfedcba"),
        ({"method": "grpo"}, ""),
        ({"sort": "created_at"}, "abcdefg"),
        ({"sort": "name"}, "abcdefg"),
        ({"sort": "-name"}, "gfedcba"),
        ({"sort": "-reward"}, "dcebfag"),
        ({"sort": "reward"}, "afbecdg"),
        ({"sort": "-ended_at"}, "gfedcba"),
    ],
)
def test_a_list_is_filtered_and_sorted_and_its_pages_join(client, runs, asked, found):
    assert names(client, **asked, limit=200) == found
    assert names(client, **asked, limit=2) == found


@pytest.mark.parametrize("cursor", ["x", "WzFd", "bnVsbA==", "\u00e9"])
def test_a_cursor_of_nobodys_is_refused(client, runs, cursor):
    answer = client.get("/api/v1/runs", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


@pytest.mark.parametrize(
    ("sort", "value"),
    [("-reward", 10**30), ("score", -(10**400)), ("ended_at", True), ("name", "\ud800"), ("-created_at", "\udfff")],
)
def test_a_forged_cursor_is_refused(client, runs, sort, value):
    for parts in ([sort, value, "run_1"], [sort, 0.5 if sort in ("-reward", "score", "ended_at") else "a", "\ud800"]):
        cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
        assert client.get("/api/v1/runs", params={"sort": sort, "cursor": cursor}).status_code == 422


def test_a_cursor_of_another_sort_is_refused(client, runs):
    cursor = client.get("/api/v1/runs?sort=-reward&limit=2").json()["next_cursor"]
    assert client.get("/api/v1/runs", params={"cursor": cursor}).status_code == 422
    assert client.get("/api/v1/runs", params={"sort": "rewards"}).status_code == 422


def test_a_run_is_renamed_by_whoever_saw_its_name(client, runs):
    url = f"/api/v1/runs/{runs['a']}"
    seen = client.get(url).headers["etag"]
    first = client.patch(url, json={"name": "better"}, headers={"If-Match": seen})
    assert (first.json()["name"], first.json()["tags"]) == ("better", ["odd"])
    late = client.patch(url, json={"name": "late"}, headers={"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    again = client.patch(url, json={"tags": ["x"]}, headers={"If-Match": first.headers["etag"]})
    assert (again.json()["name"], again.json()["tags"]) == ("better", ["x"])
    assert client.patch(url, json={"state": "failed"}).status_code == 422
    assert client.patch(url, json={"name": "two\nlines"}).status_code == 422
    assert client.patch(url, json={"notes": "lr was\x00 too high"}).status_code == 422
    assert client.patch(url, json={"notes": "x" * 4001}).status_code == 422
    events = client.get(f"{url}/events").json()["data"]
    changes = [event["data"] for event in events if event["type"] == "run_changed"]
    assert changes == [{"name": "better"}, {"tags": ["x"]}]


def test_notes_are_kept_whole_and_lists_show_their_beginning(client, runs):
    url, notes = f"/api/v1/runs/{runs['b']}", "line one\n\t<b>two</b> ∑ " + "x" * 300
    seen = client.get(url)
    assert (seen.json()["notes"], seen.json()["tags"]) == ("", ["even", "o"])
    kept = client.patch(url, json={"notes": notes}, headers={"If-Match": seen.headers["etag"]})
    assert kept.json()["notes"] == client.get(url).json()["notes"] == notes
    # Who saw other notes, or renames meanwhile, is told.
    late = client.patch(url, json={"tags": []}, headers={"If-Match": seen.headers["etag"]})
    assert late.status_code == 412
    [listed] = client.get("/api/v1/runs?name=run b").json()["data"]
    assert listed["notes_excerpt"] == notes[:200]
    assert "notes" not in listed
    assert client.patch(url, json={"notes": ""}).json()["notes"] == ""


def test_the_first_page_counts_all_that_is_found(client, runs):
    first = client.get("/api/v1/runs?limit=2&min_reward=0.2").json()
    assert (first["total"], len(first["data"])) == (5, 2)
    then = client.get("/api/v1/runs", params={"limit": 2, "min_reward": 0.2, "cursor": first["next_cursor"]}).json()
    assert then["total"] is None
    assert client.get("/api/v1/runs?tag=none").json()["total"] == 0


def test_a_run_that_waits_gets_another_priority_under_if_match_and_its_spec_stays(client, run_id):
    url = f"/api/v1/runs/{run_id}"
    seen = client.get(url)
    raised = client.patch(url, json={"priority": 9, "tags": ["soon"]}, headers={"If-Match": seen.headers["etag"]})
    assert (raised.json()["priority"], raised.json()["spec"]) == (9, seen.json()["spec"])
    late = client.patch(url, json={"priority": 1}, headers={"If-Match": seen.headers["etag"]})
    assert late.status_code == 412
    client.post(f"{url}/pause")
    assert client.patch(url, json={"priority": -100}).json()["priority"] == -100
    events = client.get(f"{url}/events", params={"type": "run_changed"}).json()["data"]
    assert [event["data"] for event in events] == [{"tags": ["soon"], "priority": 9}, {"priority": -100}]
    (pointer,) = [error["pointer"] for error in client.patch(url, json={"priority": 101}).json()["errors"]]
    assert pointer == "/priority"


def test_a_run_that_works_or_is_over_keeps_its_priority_and_says_what_it_is(client, engine, run_id):
    url = f"/api/v1/runs/{run_id}"
    with writing(engine) as session:
        leases.claim(session, run_id, Worker("w", "h", 0), 60)
    refused = client.patch(url, json={"priority": 9, "name": "other"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "is starting, so it cannot get another priority." in refused.json()["detail"]
    assert client.get(url).json()["name"] == "first"
    assert client.patch(url, json={"priority": 0, "name": "other"}).json()["name"] == "other"  # that is no change
