"""The vLLM engine's own promises: weights that did not arrive, servers that do not answer, and the process it starts.

The other side is a stand-in that speaks the protocol, not vLLM.
"""

import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from trapo_core.engine import Completion, GenerateEngine, SampleRequest, VllmEngine, complete
from trapo_core.engine.vllm_weights import WeightFolder
from trapo_core.errors import EngineError, SpecError, TrapoError
from trapo_core.events import EventWriter
from trapo_core.launch import RANK_VARIABLES
from trapo_core.lora import add_adapters
from trapo_core.model import Policy, load_policy, save_policy
from trapo_core.parallel import World
from trapo_core.places import Places
from trapo_core.prepare import check_world
from trapo_core.process import Attempt
from trapo_core.spec_parts import Lora, Sampling, Vllm
from trapo_core.train import make_engine, train

from ..conftest import events_of, small_spec
from .conftest import world_requests
from .stand_in import StandIn, serving


@pytest.fixture
def stand_in(policy: Policy) -> StandIn:
    return StandIn(policy=policy)


@contextmanager
def engine_for(stand_in: StandIn, policy: Policy, **settings: object) -> Iterator[VllmEngine]:
    with serving(stand_in) as url, closing(VllmEngine(policy, Vllm(url=url, **settings), 8)) as engine:  # type: ignore[arg-type]
        yield engine


def as_here(policy: Policy, asked: Sequence[SampleRequest], got: Sequence[Completion]) -> None:
    """What the policy samples in this process."""
    expected = complete(GenerateEngine(policy), asked)
    assert [done.ids for done in got] == [done.ids for done in expected]
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(torch.tensor(one.logps), torch.tensor(other.logps), atol=1e-5, rtol=0)


def nudge(policy: Policy, scale: float = 1.0, size: float = 1e-5) -> None:
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(scale).add_(size * torch.randn(parameter.shape, generator=noise))


# ------------------------------------------------------------------------------------------------------ new weights


def test_weights_are_sent_once_a_change_and_only_if_something_is_asked(stand_in: StandIn, policy: Policy) -> None:
    with engine_for(stand_in, policy) as engine:
        assert stand_in.reloads == 0
        complete(engine, world_requests(policy, 3))
        complete(engine, world_requests(policy, 3))
        assert stand_in.reloads == 1
        for _ in range(3):
            engine.weights_changed()
        assert stand_in.reloads == 1
        complete(engine, world_requests(policy, 1))
        assert stand_in.reloads == 2


def test_a_server_with_older_weights_gets_the_policys_first(policy: Policy) -> None:
    """A resumed run: the server was started with the base."""
    stand_in = StandIn(policy=policy)
    with engine_for(stand_in, policy) as engine:
        nudge(policy, 0.5)
        asked = world_requests(policy, 4)
        as_here(policy, asked, complete(engine, asked))


@pytest.mark.parametrize(("faults", "scale"), [({"keeps_weights"}, 1.0), ({"keeps_weights"}, 0.5)])
def test_weights_that_silently_do_not_arrive_are_an_error(
    stand_in: StandIn, policy: Policy, faults: set[str], scale: float
) -> None:
    """A large change shows in the log-probs; a small one in that they did not move at all."""
    with engine_for(stand_in, policy) as engine:
        complete(engine, world_requests(policy, 2))
        stand_in.faults = faults
        nudge(policy, scale)
        engine.weights_changed()
        what = "off the policy's" if scale != 1.0 else "did not arrive"
        with pytest.raises(EngineError, match=what):
            complete(engine, world_requests(policy, 2))


def test_weights_that_did_not_change_may_arrive_unchanged(stand_in: StandIn, policy: Policy) -> None:
    with engine_for(stand_in, policy) as engine:
        first = complete(engine, world_requests(policy, 2))
        engine.weights_changed()
        assert complete(engine, world_requests(policy, 2)) == first


def test_the_reset_alone_keeps_old_prefixes_away(stand_in: StandIn, policy: Policy) -> None:
    stand_in.faults = {"ignores_salt"}
    fresh_after_a_change(stand_in, policy)


def test_the_salt_alone_keeps_old_prefixes_away(stand_in: StandIn, policy: Policy) -> None:
    stand_in.faults = {"pretends_to_reset"}
    fresh_after_a_change(stand_in, policy)


def test_without_either_the_stand_in_would_be_stale(stand_in: StandIn, policy: Policy) -> None:
    """So that the two tests above can fail."""
    stand_in.faults = {"pretends_to_reset", "ignores_salt"}
    with pytest.raises((AssertionError, EngineError)):
        fresh_after_a_change(stand_in, policy)


def fresh_after_a_change(stand_in: StandIn, policy: Policy) -> None:
    asked = world_requests(policy, 4)
    with engine_for(stand_in, policy) as engine:
        complete(engine, asked)
        nudge(policy, 0.5)
        engine.weights_changed()
        as_here(policy, asked, complete(engine, asked))


def test_a_cache_that_cannot_be_reset_is_an_error(stand_in: StandIn, policy: Policy) -> None:
    stand_in.faults = {"never_resets"}
    with engine_for(stand_in, policy, timeout_s=5.0) as engine, pytest.raises(EngineError, match="cannot be reset"):
        complete(engine, world_requests(policy, 1))


def test_log_probs_of_another_distribution_are_an_error(stand_in: StandIn, policy: Policy) -> None:
    stand_in.faults = {"raw_logprobs"}
    with engine_for(stand_in, policy) as engine, pytest.raises(EngineError, match="--logprobs-mode processed_logprobs"):
        complete(engine, world_requests(policy, 1))


def test_weights_travel_through_the_folder_that_the_environment_names(
    stand_in: StandIn, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    monkeypatch.setenv("TRAPO_VLLM_WEIGHTS_DIR", str(shared))
    with engine_for(stand_in, policy) as engine:
        for _ in range(4):
            complete(engine, world_requests(policy, 1))
            engine.weights_changed()
        [folder] = shared.iterdir()
        # The last two: the server may still be reading the last but one.
        assert sorted(path.name for path in folder.iterdir()) == ["weights-2", "weights-3"]
    assert list(shared.iterdir()) == []


# ---------------------------------------------------------------------------------------------------------- adapters


@pytest.fixture
def adapted(policy: Policy) -> Policy:
    """With adapters that change something."""
    add_adapters(policy, Lora(rank=4), seed=1)
    nudge(policy, size=0.1)
    return policy


@torch.no_grad()
def logits(policy: Policy) -> torch.Tensor:
    ids = torch.arange(2, 16)[None]
    found: torch.Tensor = policy.model(input_ids=ids, use_cache=False).logits
    return found


def test_the_folder_of_an_adapted_policy_is_a_plain_model_with_its_logits(adapted: Policy, tmp_path: Path) -> None:
    folder = WeightFolder(adapted, str(tmp_path)).save()
    plain = load_policy(folder, device=adapted.device, dtype=adapted.dtype)
    torch.testing.assert_close(logits(plain), logits(adapted), atol=1e-5, rtol=1e-5)
    _, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]


def test_a_server_follows_adapters(adapted: Policy, tmp_path: Path) -> None:
    base = load_policy(WeightFolder(adapted, str(tmp_path)).save(), device=adapted.device, dtype=adapted.dtype)
    asked = world_requests(adapted, 4)
    with engine_for(StandIn(policy=base), adapted) as engine:
        nudge(adapted, size=0.1)
        as_here(adapted, asked, complete(engine, asked))


# ----------------------------------------------------------------------------------------------- servers in trouble


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no_token_ids", "no token ids and log-probs.*0.10.2"),
        ("no_json", "no JSON"),
        ("no_dev_mode", "VLLM_SERVER_DEV_MODE=1"),
    ],
)
def test_a_server_that_cannot_do_what_is_needed_is_named(
    stand_in: StandIn, policy: Policy, fault: str, message: str
) -> None:
    with engine_for(stand_in, policy) as engine:
        stand_in.faults = {fault}
        with pytest.raises(EngineError, match=message):
            complete(engine, world_requests(policy, 1))
        stand_in.faults = set()
        assert complete(engine, world_requests(policy, 1))  # it lives on


def test_a_server_that_falls_silent_is_an_error_in_time(stand_in: StandIn, policy: Policy) -> None:
    with engine_for(stand_in, policy, timeout_s=0.5) as engine:
        complete(engine, world_requests(policy, 1))
        stand_in.faults = {"slow"}
        began = time.monotonic()
        with pytest.raises(EngineError, match=r"no answer to /v1/completions within 0.5 s.*timeout_s"):
            complete(engine, world_requests(policy, 3))
        assert time.monotonic() - began < 10


def test_a_cancelled_request_is_ended_at_the_server_too(stand_in: StandIn, policy: Policy) -> None:
    with engine_for(stand_in, policy) as engine:
        complete(engine, world_requests(policy, 1))
        stand_in.faults = {"slow"}
        engine.submit((0,), world_requests(policy, 1)[0])
        engine._send()
        began = time.monotonic()
        engine.cancel((0,))
        engine.close()  # waits for the thread of the request
        assert time.monotonic() - began < 5


def test_nobody_there_is_an_error_with_the_address(policy: Policy) -> None:
    with pytest.raises(EngineError, match=r"http://127.0.0.1:9: not healthy within 0.5 s"):
        VllmEngine(policy, Vllm(url="http://127.0.0.1:9", start_timeout_s=0.5))


def test_a_context_too_short_is_said_before_anything_is_sent(policy: Policy) -> None:
    stand_in = StandIn(policy=policy, max_model_len=24)
    with engine_for(stand_in, policy) as engine, pytest.raises(EngineError, match=r"context of 24.*--max-model-len 31"):
        engine.submit((0,), world_requests(policy, 1, tokens=31 - len(world_requests(policy, 1)[0].ids))[0])


def test_requests_say_every_setting_that_a_server_may_have_its_own_default_for(
    stand_in: StandIn, policy: Policy
) -> None:
    with engine_for(stand_in, policy) as engine:
        complete(engine, world_requests(policy, 1, temperature=0.7))
    body = stand_in.asked[-1]
    assert body["model"] == "the-model"
    assert (body["temperature"], body["top_p"], body["top_k"], body["min_p"]) == (0.7, 1.0, 0, 0.0)
    assert body["stop_token_ids"] == [policy.eos_id]


# ------------------------------------------------------------------------------------------- a server of the run's own


@pytest.fixture
def executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in as the `vllm` command."""
    path = tmp_path / "vllm"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "stand_in.py"} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("TRAPO_VLLM", str(path))
    return path


def test_a_server_is_started_used_and_ended(policy: Policy, executable: Path) -> None:
    asked = world_requests(policy, 3)
    engine = make_engine(policy, Sampling(engine="vllm"))
    assert isinstance(engine, VllmEngine)
    process = engine._server._process
    with closing(engine):
        as_here(policy, asked, complete(engine, asked))
        nudge(policy, 0.5)
        engine.weights_changed()
        as_here(policy, asked, complete(engine, asked))
    assert process is not None and process.poll() is not None


def test_a_server_does_not_take_the_place_of_the_rank_that_starts_it(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, executable: Path
) -> None:
    for name in (*RANK_VARIABLES, "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(name, "1")
    executable.write_text(
        "#!/bin/sh\nenv | grep -E '^[A-Z_]*(RANK|ROLE|WORLD|MASTER|ELASTIC)'\necho nothing else; exit 3\n"
    )
    with pytest.raises(EngineError, match=r"ended with status 3:\nnothing else"):
        VllmEngine(policy, Vllm())


def test_a_server_that_ends_at_once_says_why(policy: Policy, monkeypatch: pytest.MonkeyPatch, executable: Path) -> None:
    executable.write_text("#!/bin/sh\necho no such device >&2\nexit 3\n")
    with pytest.raises(EngineError, match=r"ended with status 3(.|\n)*no such device"):
        VllmEngine(policy, Vllm())


def test_a_missing_command_names_the_setting(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAPO_VLLM", "/nowhere/vllm")
    with pytest.raises(EngineError, match="Set TRAPO_VLLM"):
        VllmEngine(policy, Vllm())


# ----------------------------------------------------------------------------------------------------- spec and run


def test_a_run_trains_with_a_server_that_follows_every_update(
    stand_in: StandIn, policy: Policy, tmp_path: Path
) -> None:
    """Guided by whole traces, so that a random model has something to learn."""
    save_policy(tmp_path / "models" / "base", policy.model, policy.tokenizer)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    with serving(stand_in) as url, closing(EventWriter(run_dir)) as writer:
        sampling = {"engine": "vllm", "max_tokens": 20, "vllm": {"url": url}, "schedule": "speculative"}
        spec = small_spec(
            model={"source": "folder", "path": "base"}, sampling=sampling, steps=3, prompts_per_step=2, template="raw"
        )
        assert train(spec, run_dir, Places(tmp_path, tmp_path / "models"), Attempt(writer)) == 3
    assert stand_in.reloads == 3
    for step in events_of(run_dir, "step"):
        assert step.metrics["policy/grad_norm"] > 0
        assert step.metrics["sampler/logp_gap"] < 1e-5


def test_a_spec_names_the_engine_and_its_server() -> None:
    spec = small_spec(sampling={"engine": "vllm", "max_tokens": 20, "vllm": {"url": "http://gpu-7:8000"}})
    assert spec.sampling.vllm.url == "http://gpu-7:8000"
    with pytest.raises(SpecError, match=r"/sampling/vllm.*Set engine: vllm"):
        small_spec(sampling={"max_tokens": 20, "vllm": {"url": "http://gpu-7:8000"}})
    with pytest.raises(SpecError, match="/sampling/vllm/url"):
        small_spec(sampling={"engine": "vllm", "max_tokens": 20, "vllm": {"url": "gpu-7"}})


def test_several_training_processes_are_refused() -> None:
    sampling = {"engine": "vllm", "max_tokens": 20}
    with pytest.raises(SpecError, match=r"/resources/gpus: 8 GPUs are 8 training processes.* Set it to 1"):
        small_spec(sampling=sampling, resources={"gpus": 8})
    several = World()
    several.size = 2
    for gpus in (None, 0):
        spec = small_spec(sampling=sampling, resources={"gpus": gpus})
        check_world(spec, World())
        with pytest.raises(SpecError, match=r"/sampling/engine: a vLLM server .*one training process"):
            check_world(spec, several)


def test_its_errors_end_a_run_with_a_reason_of_their_own() -> None:
    assert EngineError("x").reason == "engine_failed" and issubclass(EngineError, TrapoError)
