"""The columns of a step's rollouts, for whoever writes or reads them without torch."""

import pyarrow as pa

# Who reads one row reads its group, so a group of long answers must fit in memory easily.
ROWS_A_GROUP = 256
SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("problem", pa.string()),
        ("slot", pa.int16()),
        ("sample", pa.int16()),
        ("ratio", pa.float32()),
        ("reward", pa.float32()),
        ("outcome", pa.string()),
        ("detail", pa.string()),  # what the check read, or why it has no verdict; empty for a right answer
        ("advantage", pa.float32()),
        ("finish", pa.string()),
        ("prompt", pa.string()),
        ("answer", pa.string()),
        ("prefix", pa.string()),
        ("completion", pa.string()),
        ("prefix_tokens", pa.int32()),
        # Response tokens, prefix first; the same length in each row's lists.
        ("token_ids", pa.list_(pa.int32())),
        ("logps", pa.list_(pa.float32())),
        ("entropies", pa.list_(pa.float32())),
        # Characters that each token adds to prefix + completion; null where tokens and text do not fit together.
        ("lengths", pa.list_(pa.int32())),
    ]
)
