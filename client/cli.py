"""The `trapo` command. What goes wrong is told by `refusals.py`.

Exit status: 0 succeeded, 1 failed, 2 wrong use or wrong spec, 3 cancelled, 4 paused, 130 interrupted.
"""

import sys

import typer

from client import (
    backup_commands,
    checkpoint_commands,
    commands,
    key_commands,
    log_commands,
    make_commands,
    operator_commands,
    registry_commands,
    wish_commands,
)
from client.board_command import board
from client.compare_command import compare
from client.doctor_command import doctor
from client.errors import ClientError
from client.eval_command import evaluate
from client.export_command import export
from client.import_command import import_
from client.pin_command import pin
from client.plan_command import plan
from client.refusals import tell
from client.run_command import run
from client.up import up
from trapo_core.errors import SpecError

app = typer.Typer(
    name="trapo",
    help="Train language models to reason with TRAPO: expert prefixes and reinforcement learning in one step.",
    epilog="Exit status: 0 succeeded, 1 failed, 2 wrong use or spec, 3 cancelled, 4 paused, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(run)
app.command()(plan)
app.command()(pin)
app.command("eval")(evaluate)
app.command()(export)
app.command("import")(import_)
for command in (
    commands.submit,
    commands.ls,
    commands.sweeps,
    commands.show,
    commands.follow,
    wish_commands.cancel,
    wish_commands.pause,
    wish_commands.resume,
    wish_commands.retry,
    make_commands.clone,
    make_commands.sweep,
    log_commands.logs,
    log_commands.events,
    compare,
    board,
    wish_commands.archive,
    wish_commands.rm,
    wish_commands.undelete,
):
    app.command()(command)
# A negative number is no option.
app.command(context_settings={"ignore_unknown_options": True})(wish_commands.priority)
app.add_typer(checkpoint_commands.app)
app.add_typer(key_commands.app)
app.command()(commands.methods)
app.add_typer(registry_commands.models)
app.add_typer(registry_commands.datasets)
app.command()(doctor)
app.command()(operator_commands.gc)
app.command()(operator_commands.reasons)
app.command()(backup_commands.backup)
app.command()(backup_commands.restore)
app.command("login-link")(commands.login_link)


def main() -> None:
    try:
        app()
    except (SpecError, ClientError) as error:
        sys.exit(tell(error))


if __name__ == "__main__":
    main()
