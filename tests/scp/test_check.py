"""`mammonode init` and `mammonode check`, as an operator runs them."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.settings import Settings
from peers.certificates import Authority
from phantoms.weights import write_weights
from scp.check import Check, run_checks
from scp.cli import app
from scp.durable import locked
from scp.journal import Journal
from scp.receiver import receiver_lock


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAMMONODE_ANALYSIS__WEIGHTS", str(write_weights(tmp_path / "weights")))
    monkeypatch.setenv("MAMMONODE_LISTENER__PORT", "21112")
    return CliRunner()


def test_what_init_writes_check_accepts(run: CliRunner) -> None:
    assert run.invoke(app, ["init"]).exit_code == 0
    done = run.invoke(app, ["check", "--json"])
    answer = json.loads(done.stdout)
    outcomes = {item["name"]: item["outcome"] for item in answer["checks"]}
    # nobody listens at the example's destination: results would wait, which is no reason not to start
    assert outcomes.pop("destination pacs") == "warning"
    assert outcomes.pop("callers") == "warning"
    assert outcomes.pop("disk") in {"ok", "warning"}
    assert set(outcomes.values()) == {"ok"}
    assert (answer["ok"], done.exit_code) == (True, 0)


def test_init_leaves_a_file_that_exists(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "mammonode.toml").write_text("# mine")
    done = run.invoke(app, ["init"])
    assert done.exit_code == 1
    assert "left as it is" in done.stderr
    assert (tmp_path / "mammonode.toml").read_text() == "# mine"


@pytest.mark.parametrize(
    ("place", "why"),
    [("taken/mammonode.toml", "Not a directory"), ("/proc/none/mammonode.toml", "No such file or directory")],
)
def test_init_says_where_it_cannot_write(run: CliRunner, tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    done = run.invoke(app, ["init", "--config", place])
    assert done.exit_code == 1
    assert " ".join(done.stderr.split()) == f"{place} cannot be written ({why}). Name another with --config."


def test_bad_settings_are_listed_and_end_with_2(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "mammonode.toml").write_text("[listener]\nport = 0\ncolour = 1\n")
    done = run.invoke(app, ["check"], env={"MAMMONODE_LISTENER__PORT": "0"})
    assert done.exit_code == 2
    assert "listener.colour" in done.stderr
    assert "listener.port" in done.stderr


def test_a_folder_that_cannot_be_written_fails_with_a_remedy(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    done = run.invoke(app, ["check", "--json"], env={"MAMMONODE_NODE__FOLDER": str(tmp_path / "taken" / "x")})
    answer = json.loads(done.stdout)
    folder = next(item for item in answer["checks"] if item["name"] == "folder")
    assert (folder["outcome"], answer["ok"], done.exit_code) == ("failed", False, 1)
    assert "node.folder" in folder["remedy"]


def test_damaged_weights_fail_with_a_remedy(run: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "weights" / "nodule.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    done = run.invoke(app, ["check", "--json"])
    networks = next(item for item in json.loads(done.stdout)["checks"] if item["name"] == "networks")
    assert (networks["outcome"], done.exit_code) == ("failed", 1)
    assert networks["remedy"]


def test_nobody_may_send_is_a_failure(run: CliRunner) -> None:
    done = run.invoke(app, ["check", "--json"], env={"MAMMONODE_LISTENER__OPEN_ON_LOOPBACK": "false"})
    callers = next(item for item in json.loads(done.stdout)["checks"] if item["name"] == "callers")
    assert (callers["outcome"], done.exit_code) == ("failed", 1)


def check_of(settings: Settings, name: str) -> Check:
    return next(check for check in run_checks(settings) if check.name == name)


def test_a_port_that_another_program_has_is_a_failure_and_ones_own_is_none(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        settings = Settings(
            node={"folder": tmp_path}, listener={"bind": "127.0.0.1", "port": number}, web={"port": number}
        )
        assert check_of(settings, "port").outcome == "failed"
        assert check_of(settings, "page").outcome == "warning"
        with locked(receiver_lock(settings)):
            mine = check_of(settings, "port")
    assert (mine.outcome, mine.text) == ("ok", f"the node is running and listens on 127.0.0.1:{number}")


def test_a_key_that_does_not_exist_is_answered_with_the_nearest(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "mammonode.toml").write_text('[listener]\nae_titel = "X"\n[studies]\nquiet_seconds = 1\n')
    done = run.invoke(app, ["check"])
    assert "listener.ae_titel: there is no such key; did you mean ae_title?" in done.stderr
    # the engine's lease_seconds is nearer, but of another section
    assert "studies.quiet_seconds: there is no such key\n" in done.stderr


def test_status_of_an_unknown_study_says_so(run: CliRunner, tmp_path: Path) -> None:
    Journal.open(Settings(node={"folder": tmp_path / "mammonode-data"})).close()
    done = run.invoke(app, ["status", "1.2.3"])
    assert (done.exit_code, done.stderr) == (1, "There is no study 1.2.3.\n")


def test_an_unknown_state_is_answered_with_the_known_ones(run: CliRunner) -> None:
    """`status --state nonsense` once ended in a traceback."""
    done = run.invoke(app, ["status", "--state", "nonsense"])
    assert done.exit_code == 2
    assert "'delivering'" in done.stderr
    assert run.invoke(app, ["status", "--state", "failed", "--json"]).exit_code == 0


@pytest.mark.parametrize(("days", "outcome"), [(-1, "failed"), (10, "warning"), (400, "ok")])
def test_certificates_are_tried(tmp_path: Path, days: int, outcome: str) -> None:
    page = Authority(tmp_path).issue("page", days=days)
    web = {"certificate": page.certificate, "private_key": page.private_key}
    settings = Settings(node={"folder": tmp_path}, web=web)
    found = next(check for check in run_checks(settings) if check.name.startswith("certificate"))
    assert (found.name, found.outcome) == ("certificate of the page", outcome)


def test_a_key_of_another_certificate_is_found(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    web = {"certificate": authority.issue("page").certificate, "private_key": authority.issue("other").private_key}
    settings = Settings(node={"folder": tmp_path}, web=web)
    found = next(check for check in run_checks(settings) if check.name.startswith("certificate"))
    assert found.outcome == "failed"
    assert "KEY_VALUES_MISMATCH" in found.text


def test_a_database_that_is_yet_to_be_made_is_well_and_not_made(tmp_path: Path) -> None:
    database = check_of(Settings(node={"folder": tmp_path / "data"}), "database")
    assert (database.outcome, database.text, database.remedy) == ("ok", "SQLite in the node's folder", "")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_database_that_is_in_use_is_well(tmp_path: Path) -> None:
    settings = Settings(node={"folder": tmp_path})
    journal = Journal.open(settings)
    assert check_of(settings, "database").outcome == "ok"
    journal.close()
    assert check_of(settings, "database").outcome == "ok"


@pytest.mark.parametrize("name", ["journal.db", "engine.db"])
def test_a_damaged_database_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no database, but long enough to be read as one" * 99)
    database = check_of(Settings(node={"folder": tmp_path}), "database")
    told = f"The database {tmp_path / name} is damaged (file is not a database)."
    assert (database.outcome, database.text) == ("failed", told)
    remedy = "Restart the node: it sets the file aside and makes it anew from the studies in its folder."
    assert database.remedy == remedy


def test_a_database_server_that_is_away_is_found_and_its_password_is_not_shown(
    run: CliRunner, free_port: int
) -> None:
    url = f"postgresql://svc:secret@127.0.0.1:{free_port}/mammonode"
    done = run.invoke(app, ["check", "--json"], env={"MAMMONODE_ENGINE__DATABASE_URL": url})
    database = next(item for item in json.loads(done.stdout)["checks"] if item["name"] == "database")
    assert (database["outcome"], done.exit_code) == ("failed", 1)
    assert database["text"].startswith("The database is away or cannot be used (connection failed: ")
    assert "Connection refused" in database["text"]
    assert database["remedy"].startswith("See that PostgreSQL runs, that engine.database_url is right")
    assert "secret" not in done.output
