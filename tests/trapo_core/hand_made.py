"""Batches made by hand over four tokens: three problems, and every kind of group that some method learns from."""

from trapo_core.group import Group, Rollout
from trapo_core.tokenized import TokenizedProblem

from .oracle import Batch

# (slot, tokens of the expert's prefix, own tokens, reward)
Sample = tuple[int, int, list[int], float]
TRACES = {"hard": [2, 1, 0, 3, 2, 1], "even": [1, 3, 3, 0, 2], "easy": [3, 0, 1, 2]}
PROMPTS = {"hard": [0, 2], "even": [1, 0, 3], "easy": [1]}


def group(name: str, *samples: Sample) -> Group:
    """Samples of one slot with a prefix are copies of one another, as far as the prefix goes."""
    rollouts: list[Rollout] = []
    for slot, prefix, own, reward in samples:
        copy = sum(rollout.slot == slot for rollout in rollouts)
        rollouts.append(
            Rollout(
                slot=slot, sample=copy, ratio=prefix / len(TRACES[name]), copy=copy, prefix_ids=TRACES[name][:prefix],
                completion_ids=own, completion_logps=[-1.0] * len(own), finish="stop" if own else "expert",
                reward=reward, outcome="right" if reward else "wrong",
            )
        )  # fmt: skip
    return Group(TokenizedProblem(name, "1", PROMPTS[name], []), rollouts)


def whole(name: str) -> Group:
    return group(name, (0, len(TRACES[name]), [], 1.0))


ALONE: list[Sample] = [(0, 0, [0, 1], 0.0), (0, 0, [1], 1.0), (0, 0, [2, 2, 0], 0.0), (0, 0, [3], 0.0)]
MORE: list[Sample] = [(0, 0, [0, 3, 1], 1.0), (0, 0, [2], 0.0), (0, 0, [1, 1, 3, 0], 1.0)]
RIGHT: list[Sample] = [(0, 0, [token, 2], 1.0) for token in (0, 1, 3, 0)]
WRONG: list[Sample] = [(0, 0, [token], 0.0) for token in (2, 0, 3, 2)]

MICRO_GROUPS = Batch(
    [
        group("hard", *ALONE, (1, 1, [1, 0], 0.0), (1, 1, [2], 1.0), (2, 3, [0, 0, 3], 0.0), (3, 6, [], 1.0)),
        group("even", *WRONG, (1, 1, [2], 0.0), (1, 1, [3, 3], 0.0), (2, 2, [1], 1.0), (3, 5, [], 0.0)),
        group("easy", *RIGHT, (1, 0, [2], 1.0), (1, 0, [0], 1.0), (2, 0, [3, 1], 0.0), (3, 0, [1], 1.0)),
    ]
)
EIGHT = [
    group("hard", *ALONE, *MORE, (0, 0, [3, 3], 0.0)),
    group("even", *MORE, *RIGHT, (0, 0, [1], 0.0)),
    group("easy", *RIGHT, *RIGHT),
]
UNGUIDED = Batch(EIGHT)
STREAM = Batch(EIGHT, [whole("even"), whole("easy")])
TRACES_ONLY = Batch([whole(name) for name in TRACES])
SEVEN_AND_A_TRACE = Batch(
    [
        group("hard", *ALONE, *MORE, (1, 6, [], 1.0)),
        group("even", *WRONG, *WRONG[:3], (1, 5, [], 1.0)),
        group("easy", *RIGHT, *MORE, (1, 4, [], 0.0)),
    ]
)
EIGHT_AND_A_TRACE = Batch(
    [
        group("hard", *ALONE, *ALONE, (1, 6, [], 1.0)),
        group("even", *WRONG, *WRONG, (1, 5, [], 1.0)),
        group("easy", *RIGHT, *RIGHT, (1, 4, [], 1.0)),
    ]
)
HYBRID = Batch(
    [
        group("hard", *ALONE, *MORE, (1, 5, [3, 1], 0.0)),
        group("even", *MORE, *ALONE, (1, 3, [0, 2], 1.0)),
        group("easy", *RIGHT, *MORE, (1, 0, [2], 0.0)),
    ]
)
HINTS = Batch(
    [
        group("hard", (0, 4, [2, 1], 1.0), (0, 4, [0], 0.0), (0, 4, [3, 3, 1], 0.0), (0, 4, [1], 1.0)),
        group("even", (0, 1, [2], 1.0), (0, 1, [0, 1], 0.0), (0, 1, [3], 0.0), (0, 1, [2, 2], 0.0)),
        group("easy", *ALONE),
    ]
)
FALLEN_BACK = Batch(EIGHT[:2], [whole("easy")])
