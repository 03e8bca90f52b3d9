"""Logging: JSON or console, the role in every line, no value of an element."""

import json
import subprocess
import sys

import pytest

SETUP = """
import logging, sys, threading, warnings
import structlog
from config.operation import Node
from scp.logs import configure
configure(Node(log_format=sys.argv[1], log_level="info"), "receiver")
"""


def _run(log_format, program):
    command = [sys.executable, "-c", SETUP + program, log_format]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def test_json_lines_from_everywhere():
    lines = _run(
        "json",
        """
structlog.get_logger().info("received", outcome="stored")
logging.getLogger("library").warning("of a library: %s", 3)
thread = threading.Thread(target=lambda: structlog.get_logger().info("from a thread"))
thread.start(); thread.join()
structlog.get_logger().debug("not at this level")
""",
    )
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["received", "of a library: 3", "from a thread"]
    assert {event["role"] for event in events} == {"receiver"}
    assert {event["node"] for event in events} == {"node-1"}
    assert events[0]["outcome"] == "stored"


def test_console_lines():
    [line] = _run("console", 'structlog.get_logger().warning("peer rejected", address="10.1.2.3")')
    assert "peer rejected" in line
    assert "10.1.2.3" in line


def test_pydicom_does_not_print_the_values_it_dislikes():
    lines = _run(
        "json",
        """
from pydicom.dataset import Dataset
ds = Dataset()
ds.PatientName = "Doe^Jane" * 20
ds.StudyDate = "not a date of Doe^Jane"
""",
    )
    assert lines == []


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_told_by_its_places_and_types(log_format):
    """Its words and the local variables hold what a patient is called."""
    lines = _run(
        log_format,
        """
def read(PatientName):
    try:
        float(PatientName)
    except ValueError as error:
        raise KeyError(PatientName) from error
try:
    read("Doe^Jane")
except KeyError:
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    structlog.get_logger().exception("it failed")
try:
    open("/nowhere/Doe^Jane")
except OSError:
    structlog.get_logger().exception("no file")
""",
    )
    told = "\n".join(lines)
    assert "Doe" not in told
    assert told.count("ValueError") == told.count("KeyError") == 2
    assert told.count("in read") == 4
    assert "FileNotFoundError: No such file or directory" in told
