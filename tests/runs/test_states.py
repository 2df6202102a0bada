"""The rules of a run's life, without a database."""

import pytest

from runs.states import ACTIVE, MOVES, REASONS, Desired, State, after_attempt, retry_cost

RULES = {"retry_limit": 5, "backoff_s": 2.0}


def test_every_reason_has_advice_and_leads_to_a_state_that_an_attempt_can_end_in():
    for reason in REASONS.values():
        assert reason.advice.endswith(".")
        assert all(reason.state in MOVES[state] for state in ACTIVE)
        assert reason.retryable == (reason.state is State.queued)
        assert reason.retryable or not reason.cost


def test_only_success_is_the_end_for_good():
    assert [state for state in State if not MOVES[state]] == [State.succeeded]


def test_a_crash_without_a_new_checkpoint_counts_double():
    assert retry_cost("killed_signal", saved=True) == 1
    assert retry_cost("killed_signal", saved=False) == 2
    assert retry_cost("worker_lost", saved=False) == retry_cost("worker_lost", saved=True) == 1
    assert retry_cost("worker_stopped", saved=False) == 0
    assert retry_cost(None, saved=True) == 0


def test_without_a_reason_the_run_succeeded_whatever_was_wished():
    for desired in Desired:
        assert after_attempt(None, desired, 1, **RULES).state is State.succeeded


@pytest.mark.parametrize(
    ("desired", "state", "reason"),
    [
        (Desired.run, State.queued, "killed_signal"),
        (Desired.pause, State.paused, "user_paused"),
        (Desired.cancel, State.cancelled, "user_cancelled"),
    ],
)
def test_a_killed_attempt_ends_as_the_user_wished(desired, state, reason):
    outcome = after_attempt("killed_signal", desired, 1, **RULES)
    assert (outcome.state, outcome.reason) == (state, reason)


def test_retries_wait_twice_as_long_each_time_and_end():
    waits = [after_attempt("worker_lost", Desired.run, stalls, **RULES).wait_s for stalls in range(1, 5)]
    assert waits == [2, 4, 8, 16]
    assert after_attempt("worker_lost", Desired.run, 5, **RULES).reason == "retry_exhausted"


def test_a_worker_that_shuts_down_does_not_use_up_the_retries():
    outcome = after_attempt("worker_stopped", Desired.run, 99, **RULES)
    assert (outcome.state, outcome.wait_s) == (State.queued, 0.0)


def test_a_failure_that_would_come_again_is_not_retried_and_an_unknown_one_neither():
    assert after_attempt("nan_loss", Desired.run, 1, **RULES).state is State.failed
    assert after_attempt("never heard of", Desired.run, 1, **RULES).reason == "exit_nonzero"
