"""Requests in the shape of what went wrong elsewhere (CVEs of MLflow, Ray and others): each is a plain 4xx."""

import json
import re

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from runs.db import make_engine
from runs.life.admission import host_allowed
from runs.migrate import upgrade
from runs.settings import Settings

SECRET = "root:x:0:0"
TRAVERSALS = [
    "../admin-key", "..%2fadmin-key", "..%252fadmin-key", "%252e%252e%252fadmin-key", "....//admin-key",
    "..\\admin-key", "..%5cadmin-key", "/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd", "file:///etc/passwd",
    "a/../../admin-key", "a%00.jsonl", "a\0", "%2e%2e/%2e%2e/admin-key", "..;/admin-key", "~/.ssh/id_rsa",
    "http://169.254.169.254/latest/meta-data", "\\\\host\\share", "..%c0%af..%c0%afadmin-key", "./../admin-key",
]  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """One app for all of them: none may leave a trace."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(
        _env_file=None, home=home, allowed_hosts=["testserver"], frontend_dir=home / "none", vllm_hosts=["gpu1:8000"]
    )
    engine = make_engine(settings.database_url)
    upgrade(engine)
    engine.dispose()
    with TestClient(create_app(settings)) as made:
        made.headers["Authorization"] = f"Bearer {(home / 'admin-key').read_text().strip()}"
        yield made


def refused(answer):
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert not re.search(r"trapo_[0-9a-f]{12}_", answer.text), "a key"
    assert SECRET not in answer.text


@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_in_a_spec_leads_nowhere(client, spec, path):
    """CVE-2023-1177, CVE-2023-6831, CVE-2024-1560, CVE-2025-11201: a caller's path or URI reaches the file system."""
    file = {"format": "jsonl", "path": path}
    for part in (
        {"data": file, "model": {"source": "tiny"}},
        {"data": {"format": "gsm8k", "path": path, "hub": path}, "model": {"source": "tiny"}},
        {"model": {"source": "folder", "path": path}, "data": file},
        {"model": {"source": "hub", "id": path, "revision": "0" * 40}, "data": file},
        {"model": {"source": "hub", "id": "a/b", "revision": path}, "data": file},
        {"evaluation": {"benchmarks": [{"name": "b", "data": file}]}},
        {"demonstrations": {"data": file}},
    ):
        refused(client.post("/api/v1/runs", json=spec | part))


@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_in_an_address_leads_nowhere(client, path):
    """CVE-2026-2614 and the double decoding of CVE-2024-1560, at every place where an address has a name."""
    quoted = path.replace("\0", "%00").replace("\\", "%5C").replace("/", "%2F")
    for address in (
        f"/api/v1/runs/{quoted}", f"/api/v1/runs/{quoted}/logs", f"/api/v1/runs/{quoted}/checkpoints",
        f"/api/v1/runs/{quoted}/events", f"/api/v1/{quoted}",
    ):  # fmt: skip
        refused(client.get(address))
    refused(client.delete(f"/api/v1/api-keys/{quoted}"))
    refused(client.post(f"/api/v1/runs/{quoted}/cancel"))


@pytest.mark.parametrize(
    "more",
    [
        {"entrypoint": "sh -c id"}, {"command": ["id"]}, {"env": {"LD_PRELOAD": "/tmp/x.so"}}, {"pip": ["evil"]},
        {"runtime_env": {"working_dir": "https://evil.example/a.zip"}}, {"training_command": ["id"]},
        {"reward": {"code": "import os"}}, {"reward": {"function": "os.system"}}, {"trust_remote_code": True},
        {"model": {"source": "hub", "id": "a/b", "revision": "0" * 40, "trust_remote_code": True}},
        {"model": {"source": "hub", "id": "a/b"}}, {"model": {"source": "url", "url": "https://evil.example/"}},
        {"loggers": [{"name": "wandb", "url": "http://169.254.169.254/"}]}, {"loggers": ["os.system"]},
        {"method": "__import__('os').system('id')"}, {"name": "a\nb"}, {"name": "\ud800"}, {"tags": ["../x"]},
        {"sampling": {"max_tokens": 40, "engine": "vllm", "vllm": {"command": "sh"}}},
        {"steps": 1e400}, {"steps": 10**30}, {"seed": -1}, {"x": "\ud800"}, {"\ud800": 1},
    ],
)  # fmt: skip
def test_a_spec_is_data_and_never_a_command(client, spec, more):
    """CVE-2023-48022 (ShadowRay) and CVE-2026-4372: no commands, environment, packages, code or URLs from a caller."""
    body = json.dumps(spec | more).encode()
    refused(client.post("/api/v1/runs", content=body, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254", "http://127.0.0.1:6379", "http://[::1]:8000", "http://localhost", "http://0x7f000001",
        "http://2130706433", "http://gpu1:8000@169.254.169.254", "http://gpu1:8000.evil.example", "http://gpu1:22",
        "http://gpu1:8000\\@evil.example", "file:///etc/passwd", "gopher://gpu1:8000", "https://gpu1:8000",
    ],
)  # fmt: skip
def test_a_sampling_server_is_one_that_the_operator_named(client, spec, url):
    sampling = {"max_tokens": 40, "engine": "vllm", "vllm": {"url": url}}
    refused(client.post("/api/v1/runs", json=spec | {"sampling": sampling}))


def test_a_named_sampling_server_is_accepted(client, spec):
    sampling = {"max_tokens": 40, "engine": "vllm", "vllm": {"url": "http://GPU1:8000/"}}
    assert client.post("/api/v1/runs", json=spec | {"sampling": sampling}).status_code == 201
    assert host_allowed("http://gpu2:9000", ["gpu2"])
    assert not host_allowed("http://gpu2:9000", [])


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000, b'{"a":' * 50_000, b'{"name": NaN}', b'{"steps": ' + b"9" * 10_000 + b"}", b"\xff\xfe", b"",
        b'{"steps": 1e999}', b'"' + b"a" * 100_000 + b'"', b"null", b'{"name": "a", "name": "b"}', b"\x00",
        b'!!python/object/apply:os.system ["id"]',
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/series:query", "/api/v1/sessions", "/api/v1/webhooks"])
def test_a_malformed_body_is_the_callers_mistake(client, path, body):
    refused(client.post(path, content=body, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    "url", ["http://example.org", "https://127.0.0.1", "https://[::ffff:7f00:1]", "https://169.254.169.254/"]
)
def test_a_webhook_into_the_network_is_refused(client, url):
    refused(client.post("/api/v1/webhooks", json={"url": url}))


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE"])
def test_a_method_that_is_not_there_does_nothing(client, method):
    refused(client.request(method, "/api/v1/runs"))


def test_a_header_does_not_change_the_method(client, run_id):
    """As ShadowRay's DELETE passed a filter for POST (CVE-2026-27482)."""
    headers = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
    assert client.get(f"/api/v1/runs/{run_id}", headers=headers).status_code == 200
    assert client.get(f"/api/v1/runs/{run_id}").status_code == 200
