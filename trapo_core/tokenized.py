"""Problems as tokens: the prompt, and expert traces with the places where a prefix may be cut."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trapo_core.data import Problem
from trapo_core.errors import DataError
from trapo_core.knobs import Guidance
from trapo_core.model import Policy

BREAKS = {"floor": None, "paragraph": "\n\n", "line": "\n"}
THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)
OPENED_THOUGHT = re.compile(r"<think>\n?\Z")


@dataclass(frozen=True)
class Trace:
    """An expert trace as tokens, ending with the end token unless it was cut at max_tokens. `breaks` are the positions
    of tokens at which the cut may stop, if it looks for any; never the last, behind which nothing is left to sample."""

    ids: list[int]
    breaks: list[int] | None


@dataclass(frozen=True)
class TokenizedProblem:
    """A problem as tokens. `draws` names its random numbers where a step has the problem more than once."""

    id: str
    answer: str
    prompt_ids: list[int]
    traces: list[Trace]
    draws: str = ""


def tokenize_problem(
    problem: Problem, policy: Policy, *, template: str, guidance: Guidance, max_tokens: int
) -> TokenizedProblem:
    """Tokens of the prompt and of every expert trace with its end token, cut at `max_tokens`."""
    prompt = policy.prompt_text(problem.prompt, template)
    texts = [response_text(prompt, trace_text(trace, guidance)) for trace in problem.traces]
    traces = [_tokenize_trace(text, policy, guidance, max_tokens) for text in texts]
    return TokenizedProblem(problem.id, problem.answer, policy.encode(prompt), traces)


def trace_text(trace: str, guidance: Guidance) -> str:
    """What of an expert trace is shown: all, or its thought alone, where it has one."""
    thought = THOUGHT.search(trace) if guidance.content == "think_only" else None
    return thought[1].strip() if thought else trace


def response_text(prompt: str, text: str) -> str:
    """`text` as it goes on behind the prompt: some chat templates open the thought themselves, and it is not to begin
    twice."""
    opened = OPENED_THOUGHT.search(prompt)
    if not opened or not text.startswith("<think>"):
        return text
    return text.removeprefix(opened[0]) if text.startswith(opened[0]) else text.removeprefix("<think>")


def _tokenize_trace(text: str, policy: Policy, guidance: Guidance, max_tokens: int) -> Trace:
    ids = [*policy.encode(text), policy.eos_id][:max_tokens]
    mark = BREAKS[guidance.cut]
    return Trace(ids, [i for i, token in enumerate(ids[:-1]) if mark in policy.decode([token])] if mark else None)


def check_prompts(problems: Sequence[Problem], policy: Policy, *, template: str, max_tokens: int) -> None:
    """Raises DataError, naming the problem, if a prompt is nothing to the model, or does not fit its context with the
    response."""
    for problem in problems:
        length = len(policy.prompt_ids(problem.prompt, template))
        if length == 0:
            raise DataError(f"{problem.id}: the prompt has no token in this model's vocabulary.", "Take another model.")
        if length + max_tokens > policy.context:
            raise DataError(
                f"{problem.id}: the prompt has {length} tokens; with max_tokens {max_tokens} it exceeds the model's"
                f" context of {policy.context}.",
                "Lower max_tokens, leave the problem out, or take a model with a longer context.",
            )
