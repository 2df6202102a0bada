"""What a training process may know of its worker's environment."""

from collections.abc import Callable

from runs.settings import Settings
from worker.processes import environment


def test_a_loggers_own_variables_reach_the_process_and_the_services_secrets_do_not(
    make_settings: Callable[..., Settings],
) -> None:
    loggers = {"WANDB_API_KEY": "k", "MLFLOW_TRACKING_URI": "http://mlflow", "TRACKIO_SERVER_URL": "http://trackio"}
    secrets = {"TRAPO_DATABASE_URL": "postgresql://u:p@h/d", "POSTGRES_PASSWORD": "p", "AWS_SECRET_ACCESS_KEY": "s"}
    made = environment(make_settings(), loggers | secrets, None)
    assert loggers.items() <= made.items()
    assert not secrets.keys() & made.keys()
