"""The load programs in seconds: what they count must be right; how fast it was is not asked here."""

import pytest

from bench.load import charts, control, ingest, listing, overhead, sse, submit
from bench.load.figures import Figure, milliseconds, percentile, table
from bench.load.ingest import differing

pytestmark = pytest.mark.service


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_point_and_no_event_is_lost_under_load(database):
    found = ingest.measure(database, seconds=3, offered=2000, dashboards=3, runs=2)
    (counted,) = [figure for figure in found if "lost" in figure.what]
    assert counted.measured == "0; 0; 0"


@pytest.mark.slow
def test_every_client_of_many_gets_all_news_once_and_in_order():
    assert sse.measure("sqlite", clients=25, seconds=1)[-1].measured == "0"


def test_every_submit_is_stored():
    """It counts the rows itself."""
    assert len(submit.measure("sqlite", seconds=1)) == 1


@pytest.mark.slow
def test_charts_and_lists_find_what_is_there():
    """They raise on a curve that is missing."""
    assert len(charts.measure("sqlite", runs=2, steps=3000, times=2)) == 6
    found = {figure.what.partition(": ")[2] for figure in listing.measure("sqlite", runs=60, times=2)}
    assert "part of a name, no match (0 found)" in found
    assert "newest (50 found)" in found


@pytest.mark.slow
def test_a_restarted_api_loses_no_news_and_a_pause_can_be_resumed():
    found = {figure.what: figure.measured for figure in control.measure("sqlite", rounds=1)}
    assert found["the same: streams that resumed without gap or double"] == "1 of 1"
    assert found[control.FAILED_CALLS].startswith("0 of ")
    assert found["pauses whose checkpoint loads and is resumed"] == "1 of 1"
    assert found["training processes left over"] == "0"


@pytest.mark.slow
def test_a_run_takes_steps_while_the_service_works_and_while_it_stands_still():
    found = {figure.what: figure.measured for figure in overhead.measure("sqlite", rounds=2, turn_s=2.0)}
    assert all(float(measured.split()[0]) > 0 for measured in found.values())
    assert len(found) == 3  # the processor time has the same name for both


def test_a_stream_differs_by_what_is_missing_doubled_or_out_of_order():
    assert differing([1, 2, 3, 4], [2, 3, 4]) == 0  # it began with 2
    assert differing([1, 2, 3, 4], [1, 2, 4]) == 1
    assert differing([1, 2, 3], [1, 2, 2, 3]) == 1
    assert differing([1, 2, 3], [1, 3, 2]) == 1
    assert differing([1, 2], []) == 2


def test_a_percentile_is_a_value_that_occurred():
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile(list(range(1, 101)), 99) == 99
    assert percentile([5.0], 99) == 5.0


def test_a_figure_says_whether_it_is_met():
    found = [milliseconds("asked", [0.010] * 99 + [0.2], 95, 50), Figure("kept", "1", load=0.0)]
    first, second = table(found).splitlines()[2:]
    assert first.startswith("| asked | median 10.0, p95 10.0, most 200.0 ms | p95 < 50 ms | yes |")
    assert second == "| kept | 1 |  |  | 0.0 |"
