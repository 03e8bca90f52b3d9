"""The real validators of DICOM objects: what each says of a file, line by line, nothing filtered."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from peers.dcmtk import tool

PIXELMED = Path("/usr/share/java/pixelmed.jar")
JAVA = (
    "java",
    "-XX:+UseSerialGC",
    # without these PixelMed's style sheets stop with JAXP0801003 on a modern JDK
    "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathTotalOpLimit=0",
    "-Djdk.xml.xpathExprGrpLimit=0",
    "-Xss512m",
)


def dciodvfy(path: Path) -> list[str]:
    """Errors and warnings of dicom3tools' dciodvfy (attributes and modules)."""
    return [line for line in _lines([_installed("dciodvfy"), path]) if line.startswith(("Error", "Warning"))]


def dsrdump(path: Path) -> list[str]:
    """Errors and warnings of dcmtk's dsrdump (content trees; -Er would print them and go on)."""
    run = _run([tool("dsrdump"), "-q", path])
    lines = [line for line in run.stderr.splitlines() if line.startswith(("E:", "F:", "W:"))]
    return lines if run.returncode == 0 else [*lines, f"E: exit status {run.returncode}"]


def dcmpschk(path: Path) -> list[str]:
    """Errors of dcmtk's dcmpschk (presentation states), each with its details in one line."""
    lines = _lines([tool("dcmpschk"), path])
    if "W: Test passed." in lines:
        return []
    details = " ".join(line.removeprefix("E:").strip() for line in lines if line.startswith("E:"))
    errors = [f"Error: {error.strip()}" for error in details.split("Error:")[1:]]
    return errors or [line for line in lines if not line.startswith(("W: Testing", "W: Test failed"))]


def pixelmed(paths: Sequence[Path]) -> dict[Path, list[str]]:
    """Errors and warnings of PixelMed's DicomSRValidator (templates), in one JVM: its rules are compiled once."""
    assert PIXELMED.is_file(), "pixelmed.jar is missing: make system installs it"
    source = Path(__file__).with_name("ValidateReports.java")
    run = _run([*JAVA, "-cp", PIXELMED, source, *paths], seconds=900)
    assert run.returncode == 0, (run.stdout + run.stderr)[-2000:]
    found = _by_file((run.stdout + run.stderr).splitlines())
    assert found.keys() == set(paths)
    return found


def segments_by_dcmqi(path: Path, folder: Path) -> list[Path]:
    """The label images that dcmqi's segimage2itkimage reads from a segmentation. Raises CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [_installed("segimage2itkimage"), "--inputDICOM", path, "--outputDirectory", folder, "-t", "nrrd"]
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=120)
    return sorted(folder.glob("*.nrrd"))


def _by_file(lines: Iterable[str]) -> dict[Path, list[str]]:
    """A file whose validation did not end has a message of its own."""
    found: dict[Path, list[str]] = {}
    finished: set[Path] = set()
    for line in lines:
        if line.startswith("FILE "):
            path = Path(line.removeprefix("FILE "))
            found[path] = []
        elif line.startswith(("Error", "Warning")):
            found[path].append(line)
        elif line == "IOD validation complete":
            finished.add(path)
    for path in found.keys() - finished:
        found[path].append("Error: the validation did not end")
    return found


def _lines(command: Sequence[str | Path]) -> list[str]:
    run = _run(command)
    return [re.sub(r"\s+$", "", line) for line in (run.stdout + run.stderr).splitlines()]


def _run(command: Sequence[str | Path], seconds: float = 120) -> "subprocess.CompletedProcess[str]":
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)


def _installed(name: str) -> Path:
    """A tool that comes with a Python package of the test extra."""
    path = Path(sys.executable).with_name(name)
    assert os.access(path, os.X_OK), f"{name} is missing: make install brings it"
    return path
