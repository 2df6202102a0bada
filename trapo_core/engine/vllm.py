"""An engine over HTTP to a vLLM server. Written against the sources of vLLM 0.33.0; see docs/engines.md for what was
run.

A request is POST /v1/completions with token ids in and out (`return_token_ids`). New weights go through a folder:
POST /collective_rpc `reload_weights`, then POST /reset_prefix_cache. A cached prefix can never outlive its weights,
because every request also carries the weights' version as `cache_salt`. That they arrived is checked by a probe.

Not promised: bits. Which samples run together, and with them the rounding, is the server's and the network's affair;
its random numbers are its own. Bit-exact resume and equal groups under every schedule hold for the other engines.
"""

import math
import os
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Any

from trapo_core.engine.protocol import Completion, Key, SampleRequest, Work
from trapo_core.engine.vllm_server import Request, Server
from trapo_core.engine.vllm_weights import Probe, WeightFolder
from trapo_core.errors import EngineError, NonFiniteError, TrapoError
from trapo_core.model import UNKNOWN_CONTEXT, Policy
from trapo_core.spec_parts import Vllm

RESET_PERIOD_S = 0.1
# Said even where they are the defaults: a server may have others.
PLAIN_SAMPLING = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


class VllmEngine:
    """Up to `batch_size` requests are under way at once; the others wait, speculative ones behind all others."""

    def __init__(
        self, policy: Policy, settings: Vllm, batch_size: int = 256, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.work = Work()
        self._policy = policy
        self._batch_size = batch_size
        self._waiting: dict[Key, SampleRequest] = {}
        self._running: dict[Key, tuple[Request, SampleRequest]] = {}
        self._arrived: SimpleQueue[tuple[Key, Request, Future[Completion]]] = SimpleQueue()
        self._id, self._version, self._stale = uuid.uuid4().hex, 0, True
        with ExitStack() as undo:
            self._weights = WeightFolder(policy, environment.get("TRAPO_VLLM_WEIGHTS_DIR"))
            undo.callback(self._weights.close)
            self._server = self._connect(settings, environment)
            undo.callback(self._server.close)
            self._model, self._context = self._served()
            self._threads = undo.enter_context(ThreadPoolExecutor(batch_size, thread_name_prefix="vllm"))
            self._undo = undo.pop_all()
        self._probe = Probe(policy, self._context)

    def submit(self, key: Key, request: SampleRequest) -> None:
        needed = len(request.ids) + request.max_new_tokens
        if needed > self._context:
            raise EngineError(
                f"the vLLM server has a context of {self._context}; prompt and response need {needed}.",
                f"Start it with --max-model-len {needed} or more, or lower sampling.max_tokens.",
            )
        self._waiting[key] = request

    def confirm(self, key: Key) -> None:
        if key in self._waiting:
            self._waiting[key] = replace(self._waiting[key], speculative=False)
        if key in self._running:
            call, request = self._running[key]
            self._running[key] = call, replace(request, speculative=False)

    def cancel(self, key: Key) -> None:
        self._waiting.pop(key, None)
        if key in self._running:
            call, _ = self._running.pop(key)
            call.give_up()

    def step(self) -> list[tuple[Key, Completion]]:
        """Send what may run, and wait until something arrives. Raises EngineError if nothing ever will."""
        try:
            if self._stale and self._waiting:
                self._update_weights()
            self._send()
            return self._receive()
        except TrapoError:
            for key in [*self._waiting, *self._running]:
                self.cancel(key)
            raise

    def weights_changed(self) -> None:
        """The server gets them when it is next asked for something."""
        assert not (self._waiting or self._running), "the weights changed under running samples"
        self._stale = True

    def close(self) -> None:
        for key in list(self._running):
            self.cancel(key)
        self._undo.close()

    # ------------------------------------------------------------------------------------------------- the server

    def _connect(self, settings: Vllm, environment: Mapping[str, str]) -> Server:
        if settings.url is not None:
            server = Server.at(settings.url, settings.timeout_s, environment)
            server.wait_healthy(settings.start_timeout_s)
            return server
        policy = self._policy
        flags: dict[str, object] = {
            "max-num-seqs": self._batch_size,
            "dtype": str(policy.dtype).removeprefix("torch."),
            "logprobs-mode": "processed_logprobs",  # of the distribution that is sampled from, as the trainer has them
            "generation-config": "vllm",  # no sampling defaults of the model's author
        }
        if policy.context < UNKNOWN_CONTEXT:
            flags["max-model-len"] = policy.context
        return Server.start(
            self._weights.save(),
            flags,
            environment,
            log=self._weights.log,
            start_timeout_s=settings.start_timeout_s,
            timeout_s=settings.timeout_s,
        )

    def _served(self) -> tuple[str, int]:
        """(name, context) of the model that is served."""
        card = self._server.ask("GET", "/v1/models")["data"][0]
        return card["id"], card.get("max_model_len") or self._policy.context

    # ------------------------------------------------------------------------------------------------- sampling

    def _send(self) -> None:
        """Fill free places in order; speculative samples leave if others need theirs."""
        order = sorted(self._waiting, key=lambda key: (self._waiting[key].speculative, key))
        certain = sum(not self._waiting[key].speculative for key in order)
        running = [key for key, (_, request) in self._running.items() if request.speculative]
        while running and certain > self._batch_size - len(self._running):
            key = running.pop()
            _, request = self._running[key]
            self.cancel(key)
            self._waiting[key] = request
        for key in order[: self._batch_size - len(self._running)]:
            request = self._waiting.pop(key)
            call = self._server.request()
            self._running[key] = call, request
            answer = self._threads.submit(self._fetch, call, request)
            answer.add_done_callback(partial(self._put, key, call))

    def _put(self, key: Key, call: Request, answer: Future[Completion]) -> None:
        self._arrived.put((key, call, answer))

    def _fetch(self, call: Request, request: SampleRequest) -> Completion:
        """In a thread."""
        return _completion(
            self._server.ask("POST", "/v1/completions", self._body(request), call), self._policy.stop_ids
        )

    def _receive(self) -> list[tuple[Key, Completion]]:
        """All that has arrived, at least one if any is under way."""
        done: list[tuple[Key, Completion]] = []
        while self._running and (not done or not self._arrived.empty()):
            key, call, answer = self._arrived.get()
            if key not in self._running or self._running[key][0] is not call:
                continue  # cancelled when it was on its way
            completion = answer.result()
            _, request = self._running.pop(key)
            self._count(request, completion)
            done.append((key, completion))
        return sorted(done, key=lambda pair: pair[0])

    def _count(self, request: SampleRequest, completion: Completion) -> None:
        """What the server shares and how it batches is not told."""
        self.work.prefill_tokens += len(request.ids)
        self.work.sampled_tokens += len(completion.ids)

    def _body(self, request: SampleRequest) -> dict[str, Any]:
        return {
            "model": self._model,
            "prompt": list(request.ids),
            "max_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stop_token_ids": sorted(self._policy.stop_ids),
            "ignore_eos": True,  # the server's own idea of the end: ours are all in stop_token_ids
            "logprobs": 0,
            "return_token_ids": True,
            "cache_salt": f"{self._id}-{self._version}",
            **PLAIN_SAMPLING,
        }

    # -------------------------------------------------------------------------------------------------- weights

    def _update_weights(self) -> None:
        """Bring the policy's weights to the server, and see that they are there. Raises EngineError if not."""
        new = {"method": "reload_weights", "kwargs": {"weights_path": str(self._weights.save())}}
        self._server.ask("POST", "/collective_rpc", new)
        self._reset_prefix_cache()
        self._version += 1
        self._probe.check(self._fetch(self._server.request(), self._probe.request), self._server)
        self._stale = False

    def _reset_prefix_cache(self) -> None:
        """The server refuses while it still holds blocks, as of requests given up a moment ago."""
        deadline = time.monotonic() + self._server.timeout_s
        # Older servers answer nothing, and mean success.
        while not (self._server.ask("POST", "/reset_prefix_cache") or {"success": True})["success"]:
            if time.monotonic() > deadline:
                raise self._server.error("its prefix cache cannot be reset.", "Let it serve nobody else.")
            time.sleep(RESET_PERIOD_S)


def _completion(answer: Any, stop_ids: frozenset[int]) -> Completion:
    """Raises EngineError for an answer of another form, NonFiniteError for log-probs that are none."""
    try:
        [choice] = answer["choices"]
        ids, logps = list(choice["token_ids"]), list(choice["logprobs"]["token_logprobs"])
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(
            f"the vLLM server's answer has no token ids and log-probs: {str(answer)[:200]}",
            "It needs return_token_ids: vLLM 0.10.2 or later.",
        ) from error
    if not ids or len(ids) != len(logps):
        raise EngineError(f"the vLLM server gave {len(ids)} tokens and {len(logps)} log-probs.", "See its log.")
    if not all(logp is not None and math.isfinite(logp) for logp in logps):
        raise NonFiniteError("the server's log-probs are not finite while sampling.", "Lower the learning rate.")
    return Completion(ids, logps, "stop" if ids[-1] in stop_ids else "length")
