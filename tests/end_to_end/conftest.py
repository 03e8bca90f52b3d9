"""Real peers and real processes; each is ended with its test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peers.orthanc import Orthanc
from peers.running_node import RunningNode

PATIENCE = 900
"""Seconds for one test: on a starved machine a node needs a minute for what it else does in two seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of this room may take long; what they wait for has its own limit."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(PATIENCE))


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Callable[..., Orthanc]]:
    """Makes and starts an Orthanc: `orthanc(ae_title="PACS", …)`."""
    running: list[Orthanc] = []

    def start(**options: Any) -> Orthanc:
        folder = tmp_path / f"orthanc-{len(running)}"
        running.append(Orthanc(folder, **options))
        return running[-1].start()

    yield start
    for pacs in running:
        pacs.stop()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[..., RunningNode]]:
    """Makes and starts a node: `node(destinations=[…], sections={…})`."""
    running: list[RunningNode] = []

    def start(**options: Any) -> RunningNode:
        folder = tmp_path / f"node-{len(running)}"
        running.append(RunningNode(folder, **options))
        return running[-1].start()

    yield start
    for one in running:
        one.stop()
