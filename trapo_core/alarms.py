"""What the curves of a step say is wrong with a run, in words and with a remedy. Importable without torch."""

from collections.abc import Mapping

# Unchecked answers count as wrong: a few teach the model that right answers are wrong.
MOST_UNCHECKED = 0.01
# An answer that was cut off can hardly be right: rewards then measure length.
MOST_TRUNCATED = 0.5


def alarms(metrics: Mapping[str, float]) -> dict[str, str]:
    """Texts by name, none where all is well. The names stay the same, so that a caller can say each once a run."""
    unchecked = metrics.get("reward/check_failures", 0.0)
    truncated = metrics.get("completion/truncated_share", 0.0)
    found = {}
    if unchecked > MOST_UNCHECKED:
        found["unchecked"] = (
            f"{unchecked:.1%} of a step's answers could not be checked and count as wrong. Look at the reference"
            " answers of rollouts whose outcome is error or timeout, or raise reward.timeout_s."
        )
    if truncated > MOST_TRUNCATED:
        found["truncated"] = (
            f"{truncated:.0%} of a step's sampled answers were cut off at max_tokens, before they ended. Raise"
            " sampling.max_tokens, or take a model that ends its answers."
        )
    return found
