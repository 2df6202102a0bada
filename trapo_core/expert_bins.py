"""The bins of expert tokens: p in quarters of a decade from 10^-6 to 1, places in a trace by powers of two. Importable
without torch."""

LOWEST_DECADE = -6
BINS_A_DECADE = 4
P_BINS = -LOWEST_DECADE * BINS_A_DECADE  # the first has all below it too, the last 1 itself


def p_edges() -> list[float]:
    """`P_BINS` + 1 edges, rising to 1."""
    return [10 ** (LOWEST_DECADE + place / BINS_A_DECADE) for place in range(P_BINS + 1)]


def first_place(row: int) -> int:
    """The first place of a row of places, counted from 1."""
    return 1 << row
