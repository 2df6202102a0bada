"""Models and data sets over REST."""

import json

from tests.runs.inputs.test_registry import model_folder


def test_what_is_registered_is_listed(client, settings):
    model_folder(settings.models_root / "tiny")
    settings.data_root.mkdir(parents=True, exist_ok=True)
    (settings.data_root / "own.jsonl").write_text(json.dumps({"prompt": "a", "answer": 1}))
    (model,) = client.get("/api/v1/models").json()["data"]
    (dataset,) = client.get("/api/v1/datasets").json()["data"]
    assert (model["name"], model["kind"], model["problem"]) == ("tiny", "folder", None)
    assert (dataset["name"], dataset["format"], dataset["columns"]) == ("own.jsonl", "jsonl", ["prompt", "answer"])


def test_both_lists_come_in_pages_by_name(client, settings):
    for name in ("c", "a", "b"):
        model_folder(settings.models_root / name)
        (settings.data_root / name).mkdir(parents=True)
        (settings.data_root / name / "own.jsonl").write_text(json.dumps({"prompt": "a", "answer": 1}))
    assert pages(client, "/api/v1/models") == [["a", "b"], ["c"]]
    assert pages(client, "/api/v1/datasets") == [["a/own.jsonl", "b/own.jsonl"], ["c/own.jsonl"]]


def pages(client, path):
    """The names of each page of two."""
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(path, params={"limit": 2, "cursor": cursor}).json()
        found.append([one["name"] for one in page["data"]])
        cursor = page["next_cursor"]
    return found


def test_an_alias_that_is_not_there_cannot_be_deleted(client):
    assert client.delete("/api/v1/aliases/none").status_code == 404
    assert client.delete("/api/v1/aliases/.hidden").status_code == 422
