"""STOW-RS to a real DICOMweb server, and to answers that it would not give."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from peers.bench import Bench, settings_for
from peers.orthanc import Orthanc
from phantoms.mammogram import four_views
from scp import operations, stow
from scp.outcome import Outcome, Parcel


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    pacs = Orthanc(tmp_path / "orthanc").start()
    yield pacs
    pacs.stop()


def test_a_dicomweb_destination_gets_everything(orthanc: Orthanc, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{orthanc.http_port}/dicom-web"
    bench = Bench(settings_for(tmp_path / "node", [{"name": "web", "url": url}]))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    assert operations.echo(bench.settings, "web")["ok"]
    assert bench.deliver(study, "web") is None
    assert bench.row(study).state == "delivered"
    assert sorted(tags["Modality"] for tags in orthanc.instances()) == ["SEG"] * 4 + ["SR"] * 2
    # the same once more: Orthanc keeps what it has
    assert operations.send(bench.settings, study, "web")["ok"]
    assert bench.deliver(study, "web") is None
    assert len(orthanc.instances()) == 6


@pytest.mark.parametrize(
    ("answer", "stored", "retry"),
    [
        (httpx.Response(200, json={"00081199": {"vr": "SQ", "Value": []}}), 6, None),
        (httpx.Response(503), 0, "soon"),
        (httpx.Response(401), 0, "few"),
        (httpx.Response(400), 0, "few"),
        (httpx.Response(202, text="no JSON"), 0, "few"),
    ],
)
def test_what_a_dicomweb_answer_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response, stored: int, retry: str | None
) -> None:
    outcome = _stow(tmp_path, monkeypatch, lambda _content: answer)
    assert (len(outcome.stored), outcome.retry) == (stored, retry)


def test_a_dicomweb_answer_names_what_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_one(instances: list[str]) -> httpx.Response:
        failed = {"00081155": {"vr": "UI", "Value": [instances[0]]}, "00081197": {"vr": "US", "Value": [0x0122]}}
        named = [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in instances[1:]]
        content = {"00081198": {"vr": "SQ", "Value": [failed]}, "00081199": {"vr": "SQ", "Value": named}}
        return httpx.Response(409, json=content)

    outcome = _stow(tmp_path, monkeypatch, refuse_one)
    assert (len(outcome.stored), outcome.retry) == (5, "never")
    assert outcome.trouble is not None
    assert outcome.trouble.code == "status-0122"


def _stow(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[[list[str]], httpx.Response]) -> Outcome:
    bench = Bench(settings_for(folder, [{"name": "web", "url": "http://pacs.test/dicom-web"}]))
    study = bench.receive(four_views(rows=256, columns=192))
    revision = bench.run(study)
    objects = revision.objects or ()
    parcels = [
        Parcel(revision.objects_folder / item.file, item.sop_class_uid, item.sop_instance_uid) for item in objects
    ]
    instances = [item.sop_instance_uid for item in objects]

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/dicom-web/studies"
        assert request.read().count(b"Content-Type: application/dicom") == 6
        return answer(instances)

    transport = httpx.MockTransport(handle)
    monkeypatch.setattr(stow, "_client", lambda _destination: httpx.Client(transport=transport))
    return stow.send(bench.settings.destinations[0], parcels)
