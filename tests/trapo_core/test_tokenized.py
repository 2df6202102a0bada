"""Problems as tokens: what of a trace is shown behind its prompt, and where it may be cut."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from trapo_core.data import Problem
from trapo_core.knobs import Guidance, Slot
from trapo_core.model import Policy, init_tiny, load_policy
from trapo_core.tokenized import TokenizedProblem, tokenize_problem

TRACE = "<think>\none\n\ntwo\n</think>\nIt is \\boxed{3}.\n"
GUIDANCE = Guidance(slots=(Slot(n=1, when="always", ratio=1.0),))
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = init_tiny([TRACE], tmp_path_factory.mktemp("tiny") / "model", vocab_size=300, hidden_size=16, heads=2)
    return load_policy(folder, device=torch.device("cpu"), dtype=torch.float32)


def tokenized(policy: Policy, trace: str = TRACE, *, template: str = "chat", **knobs: Any) -> TokenizedProblem:
    guidance = GUIDANCE.model_copy(update=knobs)
    problem = Problem("p", "1+2?", "3", (trace,))
    return tokenize_problem(problem, policy, template=template, guidance=guidance, max_tokens=200)


def thinking(policy: Policy, opening: str) -> Policy:
    """The policy with a chat template whose generation prompt ends in `opening`."""
    tokenizer = type(policy.tokenizer).from_pretrained(policy.tokenizer.name_or_path)
    beginning = "<|im_start|>assistant\n" + opening
    tokenizer.chat_template = CHAT + "{{ " + repr(beginning) + " }}"
    return replace(policy, tokenizer=tokenizer)


def whole(policy: Policy, problem: TokenizedProblem) -> str:
    return policy.decode([*problem.prompt_ids, *problem.traces[0].ids])


@pytest.mark.parametrize("opening", ["<think>\n", "<think>", ""])
def test_a_thought_that_the_chat_template_opens_is_not_opened_twice(tiny: Policy, opening: str) -> None:
    policy = thinking(tiny, opening)
    problem = tokenized(policy)
    assert policy.decode(problem.prompt_ids).endswith("<|im_start|>assistant\n" + opening)
    assert problem.prompt_ids == policy.prompt_ids("1+2?", "chat")
    assert whole(policy, problem).endswith(
        f"<|im_end|>\n<|im_start|>assistant\n{TRACE}{policy.decode([policy.eos_id])}"
    )


@pytest.mark.parametrize(
    ("trace", "shown"),
    [
        ("<think>one</think>", "one</think>"),
        ("<think>\n\none</think>", "\none</think>"),
        ("One, and <think>\ntwo</think>", "One, and <think>\ntwo</think>"),
        ("one", "one"),
    ],
)
def test_only_an_opening_at_the_very_beginning_is_left_out(tiny: Policy, trace: str, shown: str) -> None:
    policy = thinking(tiny, "<think>\n")
    assert policy.decode(tokenized(policy, trace).traces[0].ids[:-1]) == shown


def test_a_prompt_that_closes_its_thought_leaves_the_trace_as_it_is(tiny: Policy) -> None:
    policy = thinking(tiny, "<think>\n\n</think>\n\n")
    assert policy.decode(tokenized(policy).traces[0].ids[:-1]) == TRACE


@pytest.mark.parametrize("opening", ["<think>\n", ""])
def test_a_thought_alone_is_the_same_whoever_opens_it(tiny: Policy, opening: str) -> None:
    policy = thinking(tiny, opening)
    assert policy.decode(tokenized(policy, content="think_only").traces[0].ids[:-1]) == "one\n\ntwo"
    unclosed = tokenized(policy, "<think>\none", content="think_only")
    assert whole(policy, unclosed).count("<think>") == 1


def test_a_trace_is_cut_behind_ends_of_lines_but_never_behind_its_last_token(tiny: Policy) -> None:
    [trace] = tokenized(tiny, "one\ntwo\n", template="simple", cut="line").traces
    assert [tiny.decode(trace.ids[: place + 1]) for place in trace.breaks or []] == ["one\n", "one\ntwo\n"]
    tokens = len(trace.ids) - 1
    short = tokenize_problem(
        Problem("p", "?", "3", ("one\ntwo\n",)),
        tiny,
        template="simple",
        guidance=GUIDANCE.model_copy(update={"cut": "line"}),
        max_tokens=tokens,
    )
    assert short.traces[0].ids == trace.ids[:-1]
    assert short.traces[0].breaks == (trace.breaks or [])[:1]
