"""Rollouts as Parquet, one file a step: text to read, ids and per-token facts to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trapo_core.batch import TokenSequence
from trapo_core.group import Group, Rollout
from trapo_core.metrics import TokenFacts
from trapo_core.model import Policy
from trapo_core.rollout_names import file_name
from trapo_core.rollout_schema import ROWS_A_GROUP, SCHEMA
from trapo_core.token_texts import TokenTexts


def write_rollouts(
    run_dir: Path, step: int, groups: Sequence[Group], sequences: Sequence[TokenSequence], facts: TokenFacts,
    policy: Policy,
) -> tuple[str, int]:  # fmt: skip
    """(path relative to RUN_DIR, rows). `logps` are the trained policy's before the step.

    A rollout that was not learned from has no sequence: its `advantage` and entropies are null, and its log-probs are
    the sampler's, null on the prefix.
    """
    learned = {id(sequence.rollout): sequence for sequence in sequences}
    logps, entropies = facts.by_sequence(facts.logp_M), facts.by_sequence(facts.entropy_M)
    texts = TokenTexts(policy.decode)
    rows = []
    for group, rollout in [(g, r) for g in groups for r in g.rollouts]:
        sequence = learned.get(id(rollout))
        row = _row(step, group, rollout, policy, texts)
        if sequence is not None:
            row |= {"advantage": sequence.advantage, "logps": logps[sequence.index].tolist()}
            row["entropies"] = entropies[sequence.index].tolist()
        rows.append(row)
    relative = f"rollouts/{file_name(step)}"
    path = run_dir / relative
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    table = pa.Table.from_pylist(rows, SCHEMA)
    pq.write_table(table, temporary, row_group_size=ROWS_A_GROUP, compression="zstd")
    temporary.rename(path)
    return relative, len(rows)


def _row(step: int, group: Group, rollout: Rollout, policy: Policy, texts: TokenTexts) -> dict[str, Any]:
    token_ids = [*rollout.prefix_ids, *rollout.completion_ids]
    prefix, completion = policy.decode(rollout.prefix_ids), policy.decode(rollout.completion_ids)
    return {
        "step": step, "problem": group.problem.id, "slot": rollout.slot, "sample": rollout.sample,
        "ratio": rollout.ratio, "reward": rollout.reward, "outcome": rollout.outcome, "detail": rollout.detail,
        "advantage": None,
        "finish": rollout.finish, "prompt": policy.decode(group.problem.prompt_ids), "answer": group.problem.answer,
        "prefix": prefix, "completion": completion,
        "prefix_tokens": len(rollout.prefix_ids), "token_ids": token_ids,
        "logps": [None] * len(rollout.prefix_ids) + list(rollout.completion_logps),
        "entropies": [None] * len(token_ids),
        "lengths": texts.lengths((rollout.prefix_ids, prefix), (rollout.completion_ids, completion)),
    }  # fmt: skip
