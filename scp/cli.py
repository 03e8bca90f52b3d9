"""The commands of the node. Each is a thin shell over the module of its name."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from config.settings import Settings, SettingsError, load
from scp.journal_rows import StudyState

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="A DICOM node that finds malignant nodules and microcalcifications in mammograms. "
    "Research use, not a diagnosis.\n\nBegin with [bold]mammonode demo[/], then [bold]mammonode init[/], "
    "[bold]mammonode check[/] and [bold]mammonode serve[/].",
)
out = Console()
err = Console(stderr=True)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The settings file; without it ./mammonode.toml if there is one, else defaults. MAMMONODE_… goes first.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text for people.")]
DEFAULT_CONFIG = Path("mammonode.toml")


def settings_from(config: Path | None) -> Settings:
    """The settings, or a message that lists every bad key and exit code 2."""
    try:
        return load(config or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None))
    except SettingsError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from error


def print_json(value: Any) -> None:
    """One JSON document on standard output, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


@app.callback()
def private_files() -> None:
    """Whatever a command writes is for its user alone: images and results are patient data."""
    os.umask(0o077)


@app.command()
def init(config: Annotated[Path, typer.Option("--config", "-c", help="Where to write it.")] = DEFAULT_CONFIG) -> None:
    """Write a commented settings file to start from."""
    from scp.init import write_settings  # noqa: PLC0415 - each command loads only what it needs

    try:
        write_settings(config)
    except OSError as error:
        is_there = isinstance(error, FileExistsError) and config.exists()
        why = "exists already and is left as it is" if is_there else f"cannot be written ({error.strerror})"
        err.print(f"{config} {why}. Name another with --config.", markup=False)
        raise typer.Exit(1) from error
    out.print(f"Wrote {config}. Edit the destination, then: mammonode check --config {config}", markup=False)


@app.command()
def check(config: Config = None, as_json: AsJson = False) -> None:
    """Check settings, folder, disk, database, networks and destinations; each answer names its remedy."""
    from scp import check as checks  # noqa: PLC0415

    done = []
    for item in checks.run_checks(settings_from(config)):
        done.append(item)
        if not as_json:
            colour = {"ok": "green", "warning": "yellow", "failed": "red"}[item.outcome]
            out.print(f"[{colour}]{item.outcome:8}[/]", end="")
            out.print(f"{item.name}: {item.text}", markup=False, highlight=False)
            if item.remedy:
                out.print(f"        {item.remedy}", style="dim", markup=False, highlight=False)
    answer = checks.as_json(done)
    if as_json:
        print_json(answer)
    raise typer.Exit(0 if answer["ok"] else 1)


@app.command()
def serve(
    config: Config = None,
    role: Annotated[
        Literal["all", "receiver", "worker", "web"], typer.Option(help="One part only, for several machines.")
    ] = "all",
    slot: Annotated[int, typer.Option(help="Which worker of this machine, from 0; each runs once.")] = 0,
) -> None:
    """Run the node: receive, analyse, deliver, and show the page, until SIGTERM."""
    from scp.node import serve as run  # noqa: PLC0415

    raise typer.Exit(run(settings_from(config), config, role, slot))


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the results and pictures.")] = Path("demo-output"),
    benign: Annotated[bool, typer.Option("--benign", help="The study with benign lesions instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a real four-view study through a node of its own and show what comes back. Needs no server."""
    from scp.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(output, malignant=not benign, as_json=as_json))


@app.command()
def analyze(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files and folders, any mix of studies.", exists=True)],
    output: Annotated[Path, typer.Option(help="Folder for the DICOM results and pictures, one folder a study.")],
    config: Config = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    allow_secondary_capture: Annotated[
        bool,
        typer.Option("--allow-secondary-capture", help="Also Secondary Captures with Modality MG (digitised film)."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Analyse files without any network. The exit code is 0 only when every image could be handled."""
    from scp.analyze_command import run_analyze  # noqa: PLC0415

    settings = settings_from(config)
    if allow_secondary_capture:
        eligibility = settings.eligibility.model_copy(update={"secondary_capture": True})
        settings = settings.model_copy(update={"eligibility": eligibility})
    raise typer.Exit(run_analyze(paths, output, settings, device, as_json=as_json))


@app.command()
def status(
    study: Annotated[str | None, typer.Argument(help="A Study Instance UID: everything about it.")] = None,
    config: Config = None,
    state: Annotated[StudyState | None, typer.Option(help="Only studies in this state.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many studies.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List every study with its state, worst first, and each destination with its queue."""
    from scp import reaching, status_view  # noqa: PLC0415

    try:
        answer, absent = reaching.status(settings_from(config), study, state, limit)
    except reaching.NoDatabaseError as error:
        err.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if as_json:
        print_json(answer)
    elif study is not None and not answer["studies"]:
        typer.echo(f"There is no study {study}.", err=True)
    else:
        status_view.show(answer, out)
    if absent is not None:
        hint = "" if config or as_json else " Name the settings with --config."
        err.print(f"{absent}{hint}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if study is not None and not answer["studies"] else 0)


@app.command()
def retry(
    study: Annotated[str, typer.Argument(help="A Study Instance UID.")],
    config: Config = None,
    destination: Annotated[str | None, typer.Option(help="Only the delivery to this destination.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try again what failed: the analysis, or the delivery to one destination."""
    from scp import operations, reaching  # noqa: PLC0415

    _answer(
        reaching.operate(settings_from(config), study, lambda node: operations.retry(node, study, destination)),
        as_json,
    )


@app.command()
def cancel(
    study: Annotated[str, typer.Argument(help="A Study Instance UID.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Stop working on a study; what was received is kept."""
    from scp import operations, reaching  # noqa: PLC0415

    _answer(reaching.operate(settings_from(config), study, lambda node: operations.cancel(node, study)), as_json)


@app.command("hash-password")
def hash_password() -> None:
    """Ask for a password and print its hash for the settings file."""
    from argon2 import PasswordHasher  # noqa: PLC0415

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    out.print(PasswordHasher().hash(password), markup=False, highlight=False, soft_wrap=True)


def _answer(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        out.print(answer["message"], markup=False, highlight=False)
    raise typer.Exit(0 if answer["ok"] else 1)


if __name__ == "__main__":
    app()
