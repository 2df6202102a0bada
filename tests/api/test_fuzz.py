"""Schemathesis over the whole openapi.json, against a real running api: no server error, nothing undocumented.

FUZZ_EXAMPLES sets how many requests each route gets at most; `make fuzz` takes many.
"""

import json
import os
import socket
import threading

import pytest
import uvicorn
from hypothesis import HealthCheck, settings

from api.main import create_app
from api.openapi import COMMITTED
from runs.db import make_engine
from runs.migrate import upgrade
from runs.settings import Settings

schemathesis = pytest.importorskip("schemathesis", reason="in the dev extra")
from schemathesis.specs.openapi import checks  # noqa: E402

schemathesis.serializer.alias("application/x-ndjson", "text/plain")  # lines are sent as they are
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
STREAMS = {"/api/v1/stream", "/api/v1/runs/{run_id}/logs/stream"}
# With nonsense in one of these a request is no HTTP, and the server refuses it in plain text before any route.
FRAMING = {"content-length", "transfer-encoding"}
STREAM_S = 0.3  # of a stream, which never ends; what it sends is of test_stream.py


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """(the address of a running api, its admin's key)"""
    home = tmp_path_factory.mktemp("home")
    made = Settings(
        _env_file=None, home=home, frontend_dir=home / "none", requests_per_s=1e6, logins_per_minute=1e6,
        redis_url=f"redis+socket://{home}/nobody",
    )  # fmt: skip
    engine = make_engine(made.database_url)
    upgrade(engine)
    engine.dispose()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(made), log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.02)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", (home / "admin-key").read_text().strip()
        server.should_exit = True
        thread.join(20)


# The committed document is the served one: test_main.py.
schema = schemathesis.openapi.from_dict(json.loads(COMMITTED.read_text()))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES < 100, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_no_request_breaks_the_api_or_gets_an_undocumented_answer(case, api):
    for name in [name for name in case.headers if name.lower() in FRAMING]:
        del case.headers[name]
    case.call_and_validate(
        base_url=api[0],
        timeout=STREAM_S if case.operation.path in STREAMS and case.method == "GET" else 60,
        headers={"Authorization": f"Bearer {api[1]}"},
        checks=[
            schemathesis.checks.not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
            checks.response_headers_conformance,
            checks.ignored_auth,
            checks.unsupported_method,
        ],
    )
