"""What an operator's command writes belongs to the account that the node runs as, whoever gives the command."""

import errno
import os
import pwd
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from typer.testing import CliRunner

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import folder_owner, node_status, operations
from scp.cli import app
from scp.engine import _is_waited_for
from scp.folder_owner import OtherOwnerError, acting_as_owner

PACS = {"name": "pacs", "host": "127.0.0.1", "port": 1}
NOBODY = 65534


class Account:
    """The process's effective ids as a test wants them; `changes` are the calls that set them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, user: int, owner: int) -> None:
        self.user, self.group = user, user + 1
        self.changes: list[tuple[str, int]] = []
        monkeypatch.setattr(os, "geteuid", lambda: self.user)
        monkeypatch.setattr(os, "getegid", lambda: self.group)
        monkeypatch.setattr(os, "seteuid", self._set_user)
        monkeypatch.setattr(os, "setegid", self._set_group)
        owned = SimpleNamespace(st_uid=owner, st_gid=owner + 1)
        monkeypatch.setattr(folder_owner, "_owner", lambda _folder: owned)

    def _set_user(self, user: int) -> None:
        self.changes.append(("user", user))
        self.user = user

    def _set_group(self, group: int) -> None:
        self.changes.append(("group", group))
        self.group = group


def test_root_acts_as_the_owner_and_is_root_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(monkeypatch, user=0, owner=4000)
    with acting_as_owner(tmp_path):
        assert (account.user, account.group) == (4000, 4001)
    assert account.changes == [("group", 4001), ("user", 4000), ("user", 0), ("group", 1)]


@pytest.mark.parametrize("user", [0, 4000])
def test_the_owner_stays_who_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    account = Account(monkeypatch, user=user, owner=user)
    with acting_as_owner(tmp_path):
        pass
    assert account.changes == []


def test_a_request_of_the_page_changes_no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(monkeypatch, user=0, owner=4000)

    def ask() -> None:
        with acting_as_owner(tmp_path):
            pass

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert account.changes == []


def test_a_root_that_may_be_nobody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(monkeypatch, user=0, owner=4000)

    def may_not(_user: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "seteuid", may_not)
    with pytest.raises(OtherOwnerError), acting_as_owner(tmp_path):
        pass
    assert account.changes == [("group", 4001), ("group", 1)]


@pytest.mark.parametrize("command", [["retry"], ["retry", "--json"], ["cancel"]])
def test_another_account_is_told_the_command_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    study = bench.receive(four_views(rows=64, columns=48))
    bench.run(study)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if "journal.db" not in path.name}
    arguments = [command[0], study, *command[1:]]
    monkeypatch.setenv("MAMMONODE_NODE__FOLDER", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/opt/mammonode/bin/mammonode", *arguments])
    Account(monkeypatch, user=4321, owner=0)
    done = CliRunner().invoke(app, arguments)
    root = pwd.getpwuid(0).pw_name
    assert done.exit_code == 1
    assert f"sudo -u {root} mammonode {' '.join(arguments)}" in " ".join(done.stdout.split())
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert bench.row(study).state == "delivering"


def test_an_owner_without_a_name_is_named_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(_uid: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", no_name)
    monkeypatch.setattr(sys, "argv", ["mammonode", "cancel", "1.2"])
    Account(monkeypatch, user=4321, owner=4000)
    with pytest.raises(OtherOwnerError, match=r"sudo -u '#4000' mammonode cancel 1\.2$"), acting_as_owner(tmp_path):
        pass


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another account can reach: those of pytest are for one account alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act for another account")
def test_what_root_writes_belongs_to_the_owner(open_folder: Path) -> None:
    bench = Bench(settings_for(open_folder / "node", [PACS]))
    study = bench.receive(four_views(rows=64, columns=48))
    bench.run(study)
    bench.journal.close()
    node = open_folder / "node"
    for path in (node, *node.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    assert operations.retry(bench.settings, study)["ok"]
    assert operations.cancel(bench.settings, study)["ok"]
    assert operations.retry(bench.settings, study)["ok"]
    assert operations.send(bench.settings, study, "pacs")["ok"]
    assert node_status.status(bench.settings, study)["studies"][0]["study_instance_uid"] == study
    assert {(path.stat().st_uid, path.stat().st_gid) for path in node.rglob("*")} == {(NOBODY, NOBODY)}
    assert os.geteuid() == 0


def test_a_step_that_waits_names_the_file(tmp_path: Path) -> None:
    inside = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "results" / "1.2" / "current.json"))
    errors = [
        inside,
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error", "/elsewhere"),
        OSError(errno.EIO, "Input/output error", 7),
        OperationalError("insert", {}, Exception("gone")),
    ]
    with capture_logs() as lines:
        assert all(_is_waited_for(error, tmp_path) for error in errors)
    assert [line["event"] for line in lines] == ["a step waits for the database or the disk"] * 5
    assert [line.get("path") for line in lines] == ["results/1.2/current.json", None, "/elsewhere", None, None]
