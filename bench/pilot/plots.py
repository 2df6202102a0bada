"""The pilot's pictures: densities and curves of the mixtures, and the tables of Proposition 1."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

from bench.pilot.mixture import GRID_X, VOID_BELOW, Course, Setting, expert_density
from bench.pilot.tabular import FIXED_STARTS, Minimised

Courses = Mapping[str, Course]  # by the name of the loss
# The dashboard's own colours, in both of which a reader tells the two losses apart without red and green.
INK, INK_2, LINE, VOID = "#1a2129", "#4c5661", "#d9dbd8", "#ece8da"
EXPERT = "#b9bfc4"
LOSSES = {"NLL": "#c4500a", "TrSFT": "#0a6cab"}
STYLE = {
    "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 8.5, "xtick.labelsize": 8, "ytick.labelsize": 8,
    "text.color": INK, "axes.labelcolor": INK_2, "xtick.color": INK_2, "ytick.color": INK_2, "axes.edgecolor": LINE,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 8,
    "lines.linewidth": 1.8, "figure.dpi": 150,
}  # fmt: skip
STEP_TICKS = (0, 50, 100, 250, 500, 1000)


def save_mixture(path: Path, setting: Setting, courses: Courses) -> None:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 6.6), layout="constrained")
        draw_mixture(figure, setting, courses)
        figure.savefig(path)


def save_tables(path: Path, tables: Sequence[Minimised]) -> None:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.6), layout="constrained")
        draw_tables(figure, tables)
        figure.savefig(path)


def save_overview(path: Path, setting: Setting, courses: Courses, tables: Sequence[Minimised]) -> None:
    """One setting and the tables on one page."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 11), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(6.4, 4.6), hspace=0.03)
        draw_mixture(above, setting, courses)
        draw_tables(below, tables)
        figure.savefig(path)


# ----------------------------------------------------------------------------------------------------- the mixtures


def draw_mixture(figure: FigureBase, setting: Setting, courses: Courses) -> None:
    """A row of densities for each loss, and the curves below."""
    figure.suptitle(f"{setting.title}  (α = {setting.alpha:g})", x=0.01, ha="left", fontsize=11, weight="bold")
    rows = figure.subfigures(len(courses) + 1, 1, height_ratios=[1] * len(courses) + [1.25])
    ceiling = 1.1 * max(float(density[0].max()) for course in courses.values() for density in course.densities.values())
    for row, (loss, course) in zip(rows, courses.items(), strict=False):
        _densities(row, setting, loss, course, ceiling)
    first = rows[0].axes[0]
    note = {"transform": first.transAxes, "ha": "right", "va": "top", "fontsize": 7.5, "color": INK_2}
    first.text(0.97, 0.95, "grey: expert\nshaded: void", **note)
    _curves(rows[-1], courses)


def _densities(figure: FigureBase, setting: Setting, loss: str, course: Course, ceiling: float) -> None:
    expert_X = expert_density(setting)
    seen = np.flatnonzero((expert_X > VOID_BELOW / 100).numpy())
    edges = float(GRID_X[seen[0]]), float(GRID_X[seen[-1]])
    for axes, (step, density) in zip(figure.subplots(1, len(course.densities)), course.densities.items(), strict=True):
        axes.fill_between(GRID_X, 0, ceiling, where=expert_X < VOID_BELOW, color=VOID, lw=0, zorder=0)
        axes.fill_between(GRID_X, expert_X, color=EXPERT, lw=0)
        axes.plot(GRID_X, density[0], color=LOSSES[loss])
        axes.set(xlim=edges, ylim=(0, ceiling), yticks=[], title=f"{loss}, step {step}")
        axes.spines["left"].set_visible(False)


def _curves(figure: FigureBase, courses: Courses) -> None:
    void, forward, reverse = figure.subplots(1, 3)
    for loss, course in courses.items():
        for axes, series in (
            (void, course.void_T_S),
            (forward, course.kl_expert_student_T_S),
            (reverse, course.kl_student_expert_T_S),
        ):
            _band(axes, course.steps_T, series, loss)
    void.set_title("mass in the void")
    forward.set_title("KL(expert ‖ student), covering")
    reverse.set_title("KL(student ‖ expert), seeking")
    forward.set_yscale("log")
    forward.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    forward.yaxis.set_major_formatter("{x:g}")
    forward.yaxis.set_minor_locator(NullLocator())
    void.set_ylim(bottom=-0.005)
    reverse.set_ylim(bottom=0)
    last = next(iter(courses.values())).steps_T[-1]
    for axes in (void, forward, reverse):
        # A square root shows the first steps, where it is decided, and 0 with them.
        axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        axes.set(xlim=(0, last), xticks=[tick for tick in STEP_TICKS if tick <= last], xlabel="step")
        axes.grid(axis="y", color=LINE, lw=0.6)
    void.legend(loc="center right")


def _band(axes: Axes, steps: Sequence[int], series_T_S: Tensor, loss: str) -> None:
    axes.fill_between(steps, series_T_S.min(1).values, series_T_S.max(1).values, color=LOSSES[loss], alpha=0.18, lw=0)
    axes.plot(steps, series_T_S.median(1).values, color=LOSSES[loss], label=f"{loss} ({series_T_S.shape[1]} seeds)")


# ------------------------------------------------------------------------------------------------------- the tables


def draw_tables(figure: FigureBase, tables: Sequence[Minimised]) -> None:
    """Small multiples: the expert, the optimum of Proposition 1, and where Adam came from every start."""
    title = "Proposition 1: what minimising TrSFT keeps of an expert's distribution"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
    columns = (len(tables) + 1) // 2
    grid = figure.subplots(2, columns, sharey=True, squeeze=False)
    for axes, table in zip(grid.flat, tables, strict=False):
        _table(axes, table)
    for axes in grid.flat[len(tables) :]:
        axes.set_visible(False)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def _table(axes: Axes, table: Minimised) -> None:
    case = table.case
    places = np.arange(len(case.expert))
    axes.bar(places - 0.2, case.expert, 0.36, color=EXPERT, label="expert")
    axes.bar(places + 0.2, case.optimum_C, 0.36, color=LOSSES["TrSFT"], alpha=0.75, label="optimum p*")
    for row, found_C in enumerate(table.found_R_C):
        fixed = row < len(FIXED_STARTS)
        axes.plot(
            places + 0.2 + (0 if fixed else 0.1), found_C, "o" if fixed else "x", ms=4, mew=1,
            mfc="white", color=INK,
            label={0: "Adam, fixed starts", len(FIXED_STARTS): "Adam, random starts"}.get(row),
        )  # fmt: skip
    axes.axhline(case.alpha, color=INK_2, lw=0.8, ls=(0, (4, 3)))
    axes.text(len(places) - 0.5, case.alpha, " α", color=INK_2, fontsize=8, va="center")
    axes.set(title=case.name, ylim=(0, 1.05), xlim=(-0.55, len(places) - 0.45))
    axes.set_xticks(places, [f"{p:g}" for p in case.expert])
