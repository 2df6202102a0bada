"""The `trapo` command. Errors are made words and exit statuses here, and nowhere else.

Exit status: 0 succeeded, 1 failed, 2 wrong use or wrong spec, 3 cancelled, 4 paused, 130 interrupted.
"""

import sys

import typer
from rich.markup import escape

from client import (
    backup_commands,
    checkpoint_commands,
    commands,
    key_commands,
    log_commands,
    make_commands,
    operator_commands,
    registry_commands,
)
from client.board_command import board
from client.compare_command import compare
from client.doctor_command import doctor
from client.errors import ApiError, ClientError, Wrong
from client.eval_command import evaluate
from client.export_command import export
from client.import_command import import_
from client.options import errors_console
from client.pin_command import pin
from client.plan_command import plan
from client.run_command import run
from client.up import up
from trapo_core.errors import SpecError

WRONG_SPEC = 2

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
    commands.cancel,
    commands.pause,
    commands.resume,
    commands.retry,
    make_commands.clone,
    make_commands.sweep,
    log_commands.logs,
    log_commands.events,
    compare,
    board,
    commands.archive,
    commands.rm,
    commands.undelete,
):
    app.command()(command)
# A negative number is no option.
app.command(context_settings={"ignore_unknown_options": True})(commands.priority)
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
    except SpecError as error:
        wrong = [Wrong(problem.pointer, problem.message, problem.hint) for problem in error.problems]
        _report("The spec cannot be run.", wrong)
        sys.exit(WRONG_SPEC)
    except ApiError as error:
        _report(error.title if error.errors else f"{error.message} [{error.code}]", error.errors)
        sys.exit(WRONG_SPEC if error.status in (400, 422) else error.exit_status)
    except ClientError as error:
        _report(f"{error.message} {error.hint}".strip(), [])
        sys.exit(error.exit_status)


def _report(headline: str, wrong: list[Wrong]) -> None:
    console = errors_console()
    console.print(f"[red]{escape(headline)}[/]", highlight=False, soft_wrap=True)
    for one in wrong:
        console.print(
            f"  [bold]{escape(one.pointer or '/')}[/]: {escape(one.message)}", highlight=False, soft_wrap=True
        )
        if one.hint:
            console.print(f"    [dim]{escape(one.hint)}[/]", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
