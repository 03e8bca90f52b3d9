"""`mammonode demo`: a real study goes into a node, SR and SEG come back into a PACS. Needs no server."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import by pynetdicom
from rich.console import Console

from config.settings import Settings, load
from inference.results import StudyResult
from scp import node_status
from scp.demonstration_study import demonstration_study
from scp.findings_table import print_result
from scp.pictures import write_picture
from scp.stand_in_pacs import StandInPacs

_LIMIT = 600.0
_AE_TITLE = "MAMMONODE"


class DemoError(Exception):
    """The demonstration could not finish; the message says where to look."""


def run_demo(output: Path, *, malignant: bool, as_json: bool) -> int:
    """Run it and return the exit code; results and pictures are left in `output`."""
    err = Console(stderr=True)
    started = time.monotonic()
    try:
        _empty(output)
    except DemoError as error:
        err.print(str(error), style="red", markup=False)
        return 1
    pacs = StandInPacs(output / "pacs")
    try:
        with tempfile.TemporaryDirectory(prefix="mammonode-demo-") as folder, err.status("starting") as line:
            settings = _write_settings(Path(folder), pacs.port)
            with _node(Path(folder), settings, line.update):
                study = _push(settings.listener.port, malignant, output / "study", line.update)
                result = _wait_for_result(settings, study, pacs, line.update)
            pictures = [write_picture(image, output, settings.analysis.pixel_memory) for image in result.analysed]
    except DemoError as error:
        err.print(str(error), style="red", markup=False)
        return 1
    finally:
        pacs.close()
    _show(result, pacs, pictures, output, time.monotonic() - started, as_json)
    return 0


def _empty(output: Path) -> None:
    """Remove what an earlier demonstration left, and nothing else. Raises DemoError: something else is there."""
    left = list(output.iterdir()) if output.is_dir() else []
    if any(item.name not in ("pacs", "study") and item.suffix != ".png" for item in left):
        raise DemoError(f"{output} holds other files, which stay as they are. Name another folder with --output.")
    shutil.rmtree(output, ignore_errors=True)


def _write_settings(folder: Path, pacs_port: int) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / "mammonode.toml"
    file.write_text(
        f'[node]\nfolder = "{folder / "data"}"\nlog_format = "json"\n'
        f'[listener]\nae_title = "{_AE_TITLE}"\nbind = "127.0.0.1"\nport = {port}\nfree_space = 0\n'
        "[studies]\ncomplete_quiet = 1.0\nincomplete_quiet = 5.0\n"
        "[web]\nenabled = false\n"
        f'[[destinations]]\nname = "demo-pacs"\nae_title = "{StandInPacs.ae_title}"\n'
        f'host = "127.0.0.1"\nport = {pacs_port}\n'
    )
    return load(file)


@contextmanager
def _node(folder: Path, settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """The real node, as its own process; its log is kept beside the settings."""
    log = folder / "node.log"
    command = [sys.executable, "-P", "-m", "scp.cli", "serve", "--config", str(folder / "mammonode.toml")]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=_environment())
    try:
        say("the node starts")
        _until(lambda: _answers(settings.listener.port), process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _environment() -> dict[str, str]:
    # an operator's own MAMMONODE_ variables must not change the demonstration
    return {name: value for name, value in os.environ.items() if not name.startswith("MAMMONODE_")}


def _until(happened: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _LIMIT
    while not happened():
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoError(f"The node did not come up. Its log ends:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)


def _answers(port: int) -> bool:
    ae = AE(ae_title="MODALITY")
    ae.add_requested_context(Verification)
    assoc = ae.associate("127.0.0.1", port, ae_title=_AE_TITLE)
    if not assoc.is_established:
        return False
    assoc.send_c_echo()
    assoc.release()
    return True


def _push(port: int, malignant: bool, folder: Path, say: Callable[[str], None]) -> str:
    """Send the four views as a modality would, and keep them in `folder`; returns the Study Instance UID."""
    folder.mkdir()
    study = ""
    for number, ds in enumerate(demonstration_study(malignant=malignant), start=1):
        view = f"{ds.ImageLaterality} {ds.ViewCodeSequence[0].CodeMeaning}"
        say(f"C-STORE {number} of 4: {view}")
        ds.StudyDate = time.strftime("%Y%m%d")  # with a film's date of long ago it would be a prior
        ae = AE(ae_title="MODALITY")
        ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
        assoc = ae.associate("127.0.0.1", port, ae_title=_AE_TITLE)
        if not assoc.is_established:
            raise DemoError("The node rejected the demonstration's association.")
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        status = assoc.send_c_store(ds)
        assoc.release()
        if status.get("Status") != 0x0000:
            raise DemoError(f"The node answered {view} with status {status.get('Status', 'none')}.")
        study = str(ds.StudyInstanceUID)
    return study


def _wait_for_result(settings: Settings, study: str, pacs: StandInPacs, say: Callable[[str], None]) -> StudyResult:
    deadline = time.monotonic() + _LIMIT
    while time.monotonic() < deadline:
        rows = node_status.status(settings, study=study)["studies"]
        state = rows[0]["state"] if rows else "received"
        if state == "delivered":
            return StudyResult.model_validate_json((Path(rows[0]["result_folder"]) / "result.json").read_text())
        if state in ("failed", "excluded", "cancelled"):
            raise DemoError(f"The study ended as {state}: {rows[0]['reason']}")
        say(f"{state}; {len(pacs.objects)} objects are back in the PACS")
        time.sleep(0.5)
    raise DemoError(f"No result within {_LIMIT:.0f} s.")


def _show(
    result: StudyResult, pacs: StandInPacs, pictures: list[Path], output: Path, seconds: float, as_json: bool
) -> None:
    if as_json:
        objects = [str(path) for path in pacs.objects]
        answer = {"result": result.model_dump(mode="json"), "objects": objects, "seconds": round(seconds, 1)}
        sys.stdout.write(json.dumps(answer | {"pictures": [str(path) for path in pictures]}, indent=1) + "\n")
        return
    out = Console()
    print_result(result, out)
    for path in pacs.objects:
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        out.print(f"  back in the PACS: {ds.SOPClassUID.name}, {ds.SeriesDescription}", markup=False, highlight=False)
    out.print(f"DICOM results: {output / 'pacs'}   pictures: {output}/*.png", markup=False, highlight=False)
    command = f"storescu -aec MAMMONODE HOST 11112 {output / 'study'}/*.dcm"
    # in one piece, as it is there to be copied
    out.print(f"To send the study to a node of your own: {command}", markup=False, highlight=False, soft_wrap=True)
    out.print(f"From nothing to results in the PACS: {seconds:.0f} s", markup=False, highlight=False)
