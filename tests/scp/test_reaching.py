"""Commands where there is no node, or one whose database is away or damaged: told in words, and nothing is made."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.settings import Settings
from scp.cli import app
from scp.journal import Journal

RUN = CliRunner()
ASKED = [["status"], ["status", "--json"], ["retry", "1.2"], ["cancel", "1.2"]]
REBUILT = "Restart the node: it sets the file aside and makes it anew from the studies in its folder."


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a node in `site/data`; the command is given elsewhere."""
    for name in ("site", "elsewhere"):
        (tmp_path / name).mkdir()
    file = tmp_path / "site" / "mammonode.toml"
    file.write_text('[node]\nfolder = "data"\n')
    monkeypatch.chdir(tmp_path / "elsewhere")
    return file


def said(command: list[str], file: Path) -> tuple[int, str]:
    """Exit code and all that is said, in one line."""
    done = RUN.invoke(app, [*command, "--config", str(file)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, " ".join(done.output.split())


def test_a_node_is_the_same_from_everywhere(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(Settings(node={"folder": settings_file.parent / "data"}))
    journal.record_study("1.2.3", state="failed")
    journal.close()
    for place in (settings_file.parent, settings_file.parents[1], Path("/")):
        monkeypatch.chdir(place)
        done = RUN.invoke(app, ["status", "--json", "--config", str(settings_file)])
        assert [row["study_instance_uid"] for row in json.loads(done.stdout)["studies"]] == ["1.2.3"]


@pytest.mark.parametrize("command", ASKED)
@pytest.mark.parametrize(
    ("made", "why"), [(False, "there is no such folder"), (True, "nothing has been started there")]
)
def test_where_there_is_no_node_that_is_said_and_none_is_made(
    settings_file: Path, command: list[str], made: bool, why: str
) -> None:
    folder = settings_file.parent / "data"
    if made:
        folder.mkdir()
    code, told = said(command, settings_file)
    assert code == (0 if command[0] == "status" else 1)
    assert f"There is no node in {folder}: {why}.".replace(" ", "") in told.replace(" ", "")
    assert set(settings_file.parent.iterdir()) == ({settings_file, folder} if made else {settings_file})
    assert list(Path.cwd().iterdir()) == []
    assert not made or list(folder.iterdir()) == []


def test_without_settings_the_answer_names_the_option(settings_file: Path) -> None:
    done = RUN.invoke(app, ["status"])
    told = f"There is no node in {Path.cwd()}/mammonode-data: there is no such folder."
    assert (done.exit_code, done.stderr) == (0, f"{told} Name the settings with --config.\n")


@pytest.mark.parametrize("command", ASKED)
def test_a_damaged_database_is_told_in_words(settings_file: Path, command: list[str]) -> None:
    damaged = settings_file.parent / "data" / "journal.db"
    damaged.parent.mkdir()
    damaged.write_bytes(b"no database, but long enough to be read as one" * 99)
    done = RUN.invoke(app, [*command, "--config", str(settings_file)])
    told = (done.stderr if command[0] == "status" else done.stdout).replace("\n", "").replace(" ", "")
    wanted = f"The database {damaged} is damaged (file is not a database). {REBUILT}"
    assert (done.exit_code, told) == (1, wanted.replace(" ", ""))


@pytest.mark.parametrize("command", ASKED)
@pytest.mark.parametrize("made", [False, True])
def test_a_database_server_that_is_away_is_told_in_words_without_its_password(
    settings_file: Path, free_port: int, command: list[str], made: bool
) -> None:
    if made:
        (settings_file.parent / "data").mkdir()
    url = f"postgresql+psycopg://svc:secret@127.0.0.1:{free_port}/mammonode"
    settings_file.write_text(f'[node]\nfolder = "data"\n[engine]\ndatabase_url = "{url}"\n')
    code, told = said(command, settings_file)
    assert code == 1
    assert "secret" not in told
    if made or command[0] == "status":
        assert told.startswith("The database is away or cannot be used (connection failed: ")
        assert told.endswith("and that the network lets the node through.")
    else:
        assert told.startswith("There is no study 1.2. There is no node in ")
    assert (settings_file.parent / "data").is_dir() is made


def test_an_answer_for_scripts_stays_json(settings_file: Path) -> None:
    folder = settings_file.parent / "data"
    done = RUN.invoke(app, ["retry", "1.2", "--json", "--config", str(settings_file)])
    message = f"There is no study 1.2. There is no node in {folder}: there is no such folder."
    assert (json.loads(done.stdout), done.exit_code) == ({"ok": False, "message": message}, 1)
