"""What an operator sees and does."""

import io
import json
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification
from rich.console import Console
from typer.testing import CliRunner

from inference.case import EligibilityPolicy
from inference.results import Reason, Status, StudyResult
from peers.answering_pacs import Pacs
from peers.bench import Bench, settings_for
from peers.fixed_scorer import FixedScorer
from phantoms.mammogram import four_views
from scp import node_status, operations, status_view
from scp.cli import app
from scp.settle import seconds_until

PACS = {"name": "pacs", "host": "127.0.0.1", "port": 1}


def _failed(folder: Path) -> tuple[Bench, str]:
    bench = Bench(settings_for(folder, [PACS], delivery={"refusal_retries": 0}))
    study = bench.receive(four_views(rows=256, columns=192))
    revision = bench.run(study)
    revision.write_receipt("pacs", revision.receipt("pacs").model_copy(update={"state": "failed", "attempts": 3}))
    bench.deliver(study, "pacs")
    return bench, study


def test_status_lists_studies_and_destinations(tmp_path: Path) -> None:
    bench, study = _failed(tmp_path)
    answer = node_status.status(bench.settings)
    assert json.dumps(answer)
    assert [row["study_instance_uid"] for row in answer["studies"]] == [study]
    assert answer["counts"] == {answer["studies"][0]["state"]: 1}
    assert answer["destinations"][0]["name"] == "pacs"
    (row,) = node_status.status(bench.settings, study=study)["studies"]
    assert len(row["images"]) == 4
    assert [item["destination"] for item in row["deliveries"]] == ["pacs"]
    assert (Path(row["result_folder"]) / "result.json").is_file()
    assert node_status.status(bench.settings, study="1.2.3")["studies"] == []


def test_retry_takes_a_failed_delivery_up_again(tmp_path: Path) -> None:
    bench, study = _failed(tmp_path)
    old = bench.row(study).generation
    assert operations.retry(bench.settings, study)["ok"]
    assert study in bench.receiver.claim("test")
    assert bench.row(study).generation > old
    digest = bench.row(study).digest
    assert digest is not None
    # the old chain of attempts ends, the new one works
    assert bench.work.deliver(study, digest, "pacs", old) is None
    assert bench.deliver(study, "pacs") is not None


def test_cancel_stops_and_retry_revives(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    study = bench.receive(four_views(rows=256, columns=192))
    digest = bench.settle(study)
    assert digest is not None
    assert operations.cancel(bench.settings, study)["ok"]
    assert not bench.work.analyse(study, digest)
    assert bench.settle(study) is None
    assert bench.row(study).state == "cancelled"
    assert operations.retry(bench.settings, study)["ok"]
    bench.run(study)
    assert bench.row(study).state == "delivering"


@pytest.mark.parametrize("cancelled", [True, False])
def test_retry_does_not_wait_for_views_that_may_still_come(tmp_path: Path, cancelled: bool) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    study = bench.receive(four_views(rows=256, columns=192)[:3])
    first = bench.work.settling.notice(study)
    assert first is not None
    assert first[1] - (bench.row(study).last_received or 0.0) == 600.0
    if cancelled:
        operations.cancel(bench.settings, study)
    assert operations.retry(bench.settings, study)["ok"]
    assert bench.row(study).state == "waiting"
    again = bench.work.settling.notice(study)
    assert again == (first[0], bench.row(study).due)
    assert seconds_until(again[1]) == 0.0


def test_a_result_can_be_sent_again(tmp_path: Path) -> None:
    bench, study = _failed(tmp_path)
    assert operations.send(bench.settings, study, "pacs")["ok"]
    assert [row.state for row in bench.journal.deliveries(study)] == ["waiting"]
    assert not operations.send(bench.settings, "1.2.3", "pacs")["ok"]
    assert not operations.send(bench.settings, study, "nowhere")["ok"]


def test_an_unknown_study_or_destination_is_said(tmp_path: Path) -> None:
    bench, study = _failed(tmp_path)
    assert not operations.retry(bench.settings, "1.2.3")["ok"]
    assert "pacs" in operations.retry(bench.settings, study, "nowhere")["message"]
    assert not operations.cancel(bench.settings, "1.2.3")["ok"]
    assert not operations.echo(bench.settings, "nowhere")["ok"]


def test_echo(tmp_path: Path) -> None:
    ae = AE(ae_title="PACS")
    ae.add_supported_context(Verification)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _event: 0)])
    try:
        table = {"name": "pacs", "host": "127.0.0.1", "port": server.server_address[1]}
        assert operations.echo(settings_for(tmp_path, [table]), "pacs") == {"ok": True, "message": "pacs answers."}
    finally:
        server.shutdown()


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    bench, study = _failed(tmp_path)
    for path in (bench.settings.node.folder / "results" / study).rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_study_cancelled_while_it_is_analysed_is_not_sent(tmp_path: Path, pacs: Callable[..., Pacs]) -> None:
    peer = pacs()
    bench = Bench(settings_for(tmp_path, [{"name": "pacs", "host": "127.0.0.1", "port": peer.port}]))
    study = bench.receive(four_views(rows=256, columns=192))
    digest = bench.settle(study)
    assert digest is not None
    assert bench.work.analyse(study, digest)
    assert operations.cancel(bench.settings, study)["ok"]
    assert bench.work.build(study, digest) == []
    assert bench.row(study).state == "cancelled"
    assert operations.retry(bench.settings, study)["ok"]
    bench.run(study)
    assert operations.cancel(bench.settings, study)["ok"]  # now that it is built
    assert bench.deliver(study, "pacs") is None
    assert peer.associations == 0
    assert operations.retry(bench.settings, study)["ok"]
    bench.run(study)
    assert bench.deliver(study, "pacs") is None
    assert len(peer.received) == 6


def test_a_failed_delivery_that_is_cancelled_is_cancelled(tmp_path: Path) -> None:
    bench, study = _failed(tmp_path)
    assert operations.cancel(bench.settings, study)["ok"]
    assert [row.state for row in bench.journal.deliveries(study)] == ["cancelled"]


class OnceFailing(FixedScorer):
    """Has too little memory for one image the first time."""

    def analyse_study(self, files: Sequence[Path], policy: EligibilityPolicy) -> StudyResult:
        result = super().analyse_study(files, policy)
        if self.calls > 1:
            return result
        reason = Reason(code="out-of-memory", text="The device has too little memory.", remedy="Stop other programs.")
        first, *others = result.images
        failed = first.model_copy(update={"status": Status.FAILED, "reason": reason, "modules": ()})
        return result.model_copy(update={"images": (failed, *others)})


def test_retry_analyses_again_what_failed_and_the_new_result_names_the_old_one(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]), OnceFailing())
    study = bench.receive(four_views(rows=256, columns=192))
    first = bench.run(study)
    assert (bench.row(study).failed, bench.row(study).revision) == (1, 1)
    bench.run(study)  # whatever drives it again finds its work
    assert bench.analyser.calls == 1
    assert operations.retry(bench.settings, study)["ok"]
    second = bench.run(study)
    assert (bench.row(study).failed, bench.row(study).revision, bench.analyser.calls) == (0, 2, 2)
    record = second.record
    assert record is not None
    replaced = {uid for _, uid in record.predecessor.values()}
    assert replaced <= {item.sop_instance_uid for item in first.objects or ()}
    assert replaced
    assert operations.retry(bench.settings, study)["ok"]
    assert bench.run(study).path == second.path
    assert bench.analyser.calls == 2


def _shown(answer: dict[str, Any], width: int) -> list[str]:
    out = Console(width=width, file=io.StringIO(), color_system=None)
    status_view.show(answer, out)
    return [line.rstrip() for line in cast(io.StringIO, out.file).getvalue().splitlines()]


def _coloured(answer: dict[str, Any]) -> list[str]:
    out = Console(width=80, file=io.StringIO(), color_system="standard", force_terminal=True)
    status_view.show(answer, out)
    return cast(io.StringIO, out.file).getvalue().splitlines()


def test_status_for_people_tells_when_a_waiting_study_is_analysed_and_keeps_a_uid_in_one_piece(
    tmp_path: Path,
) -> None:
    bench = Bench(settings_for(tmp_path, [PACS]))
    study = bench.receive(four_views(rows=256, columns=192)[:1])
    assert bench.work.settling.notice(study) is not None
    due = node_status.status(bench.settings)["studies"][0]["due"][:19].replace("T", " ")
    lines = _shown(node_status.status(bench.settings), width=60)
    assert lines[0] == "1 of 1 study"
    assert lines[1] == f"waiting    {study}"
    assert lines[2].startswith("           1 instance, received ")
    assert " ".join(line.strip() for line in lines[3:5]).startswith(
        f"more images may come: analysed at {due} if none does"
    )


def test_status_for_people_says_what_the_worklist_says_of_a_study_of_which_an_image_failed(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, []), OnceFailing())
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    answer = node_status.status(bench.settings)
    (row,) = answer["studies"]
    assert (row["state"], row["failed"]) == ("analysed", 1)
    lacking = row | {"state": "delivered"}
    lines = _shown(answer | {"studies": [lacking]}, width=80)
    assert lines[1:3] == [f"delivered, incomplete {study}", "           1 failed: R CC"]
    assert _coloured(answer | {"studies": [lacking]})[1].startswith("\x1b[1;33mdelivered, incomplete\x1b[0m ")
    assert _shown(answer | {"studies": [row | {"state": "failed"}]}, width=80)[1:3] == [
        f"failed     {study}",
        "           1 failed: R CC",
    ]
    (Path(row["result_folder"]) / "result.json").write_text("{")
    lines = _shown(answer | {"studies": [lacking]}, width=80)
    assert lines[1:3] == [f"delivered, incomplete {study}", "           1 failed"]


def test_status_for_people_has_another_colour_only_for_what_lacks_something(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, []))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    answer = node_status.status(bench.settings)
    (row,) = answer["studies"]
    line = _coloured(answer | {"studies": [row | {"state": "delivered"}]})[1]
    assert line == f"\x1b[32mdelivered \x1b[0m {study}"


def test_status_of_one_study_shows_instances_deliveries_and_history(tmp_path: Path) -> None:
    bench, study = _failed(tmp_path)
    lines = _shown(node_status.status(bench.settings, study=study), width=200)
    assert lines[1] == f"failed     {study}"  # though its failed delivery names no reason
    images = [line for line in lines if line.endswith("│") and "analysed" in line]
    assert len(images) == 4
    assert any(
        line.split() == ["│", "pacs", "│", "failed", "│", "0", "of", "6", "│", "3", "│", "│", "│"] for line in lines
    )
    start = lines.index("history (UTC)")
    assert lines[start + 1].endswith("  received  4 instances")
    folder = node_status.status(bench.settings, study=study)["studies"][0]["result_folder"]
    assert f"results: {folder}" in lines


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["status"], 0, "0 of 0 studies"),
        (["status", "--json"], 0, '"studies": []'),
        (["retry", "1.2"], 1, "There is no study 1.2."),
        (["cancel", "1.2"], 1, "There is no study 1.2."),
    ],
)
def test_a_folder_that_is_no_nodes_stays_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, said in done.stdout) == (code, True)
    assert ("--config" in done.stderr) is (command == ["status"])
    assert list(tmp_path.iterdir()) == []
