"""Speaks the part of vLLM's HTTP that the engine uses, with a real small model behind it.

Its prefix cache is the real danger made large: what begins with a cached block is answered with the weights under
which that block was first seen, until the cache is reset. `faults` are what real servers were seen to do.

As a program it takes the arguments of `vllm serve`, and is started as one.
"""

import argparse
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from trapo_core.engine import GenerateEngine, SampleRequest, complete
from trapo_core.errors import NonFiniteError
from trapo_core.model import Policy, load_policy

BLOCK = 4
NAN = float("nan")


class StandIn:
    """faults: "keeps_weights" (a reload changes nothing), "never_resets" (says no), "pretends_to_reset",
    "ignores_salt", "raw_logprobs", "no_token_ids", "no_json", "no_dev_mode", "slow"."""

    def __init__(self, folder: Path | None = None, *, policy: Policy | None = None, max_model_len: int | None = None):
        self.faults: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.aborted = 0
        self.reloads = 0
        self._policy = load(folder) if folder else policy
        self._cache: dict[tuple[str, tuple[int, ...]], Policy | None] = {}
        self._max_model_len = max_model_len
        self._lock = threading.Lock()

    def get(self, path: str) -> Any:
        if path == "/v1/models":
            context = self._max_model_len or (self._policy.context if self._policy else None)
            return {"data": [{"id": "the-model", "max_model_len": context}]}
        return {} if path == "/health" else None

    def post(self, path: str, body: Any) -> Any:
        if "no_dev_mode" in self.faults and path != "/v1/completions":
            return None
        if path == "/collective_rpc":
            return self._reload(**body["kwargs"])
        if path == "/reset_prefix_cache":
            if not self.faults & {"never_resets", "pretends_to_reset"}:
                self._cache.clear()
            return {"success": "never_resets" not in self.faults}
        return self._complete(body) if path == "/v1/completions" else None

    def _reload(self, weights_path: str) -> Any:
        self.reloads += 1
        if "keeps_weights" not in self.faults or self._policy is None:
            self._policy = load(Path(weights_path))
        return {"results": [None]}

    def _complete(self, body: dict[str, Any]) -> Any:
        self.asked.append(body)
        if "slow" in self.faults:
            time.sleep(30)
        request = SampleRequest(tuple(body["prompt"]), body["seed"], body["max_tokens"], body["temperature"])
        assert body["ignore_eos"] and body["logprobs"] == 0 and body["return_token_ids"]
        with self._lock:
            policy = self._policy_of_prefix(body["cache_salt"], request.ids)
            assert policy is not None
            try:
                [done] = complete(
                    GenerateEngine(replace(policy, stop_ids=frozenset(body["stop_token_ids"]))), [request]
                )
            except NonFiniteError:
                return answer([0], [NAN])
        logps = done.logps
        if "raw_logprobs" in self.faults:
            logps = [logp * 0.5 for logp in logps]
        return answer(None if "no_token_ids" in self.faults else done.ids, logps)

    def _policy_of_prefix(self, salt: str, ids: tuple[int, ...]) -> Policy | None:
        key = ("" if "ignores_salt" in self.faults else salt, ids[:BLOCK])
        return self._cache.setdefault(key, self._policy)


def load(folder: Path) -> Policy:
    torch.set_num_threads(1)
    return load_policy(folder, device=torch.device("cpu"), dtype=torch.float32)


def answer(ids: list[int] | None, logps: list[float]) -> Any:
    choice = {"token_ids": ids, "logprobs": {"token_logprobs": logps}, "finish_reason": "stop"}
    return {"choices": [choice]}


def handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(stand_in.get(self.path))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            self._reply(stand_in.post(self.path, json.loads(self.rfile.read(length)) if length else None))

        def _reply(self, content: Any) -> None:
            body = b"<html>" if "no_json" in stand_in.faults and content else json.dumps(content).encode()
            try:
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                stand_in.aborted += 1

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def serving(stand_in: StandIn):  # type: ignore[no-untyped-def]
    """The stand-in at an address of this machine."""
    server = _Server(("127.0.0.1", 0), handler(stand_in))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("serve", choices=["serve"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--max-model-len", type=int)
    options, _ = parser.parse_known_args()
    server = _Server(
        (options.host, options.port), handler(StandIn(options.folder, max_model_len=options.max_model_len))
    )
    server.serve_forever()


if __name__ == "__main__":
    main()
