"""A node's folder, the page on it, and clients for the page."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from config.settings import Settings
from inference.results import StudyResult
from peers.chromium import open_tab, started_chromium
from peers.live_page import Client, LivePage
from phantoms.web_node import WebNode

ARCHIVE = {"name": "archive", "url": "http://127.0.0.1:9/dicom-web"}


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[Callable[..., WebNode]]:
    """Makes an empty node below tmp_path; keyword arguments are sections of the settings."""
    made: list[WebNode] = []

    def make(**sections: Any) -> WebNode:
        made.append(WebNode.make(Settings(**{"node": {"folder": tmp_path / f"node-{len(made)}"}, **sections})))
        return made[-1]

    yield make
    for node in made:
        node.journal.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult]:
    """The folder of a node with one analysed study, made once; and the study's result."""
    folder = tmp_path_factory.mktemp("template")
    node = WebNode.make(Settings(node={"folder": folder / "node"}, destinations=[ARCHIVE]))
    result = node.add_study(folder)
    node.journal.close()
    return folder / "node", result


@pytest.fixture
def result(template: tuple[Path, StudyResult]) -> StudyResult:
    """The result of the analysed study."""
    return template[1]


@pytest.fixture
def node(template: tuple[Path, StudyResult], tmp_path: Path) -> Iterator[WebNode]:
    """A node with one analysed study and one destination that nobody listens for."""
    shutil.copytree(template[0], tmp_path / "node")
    made = WebNode.make(Settings(node={"folder": tmp_path / "node"}, destinations=[ARCHIVE]))
    yield made
    made.journal.close()


@pytest.fixture
def serve() -> Iterator[Callable[[WebNode], str]]:
    """Serves the page of a node and returns its address."""
    served: list[LivePage] = []

    def start(node: WebNode) -> str:
        served.append(LivePage(node).start())
        return served[-1].url

    yield start
    for page in served:
        page.stop()


@pytest.fixture
def page(node: WebNode, serve: Callable[[WebNode], str]) -> Iterator[Client]:
    """A client of the page of `node`, on loopback without login."""
    with Client(serve(node)) as client:
        client.take_token()
        yield client


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    with started_chromium() as browser:
        yield browser


@pytest.fixture
def browse(chromium: Browser, node: WebNode, serve: Callable[[WebNode], str]) -> Iterator[Callable[..., Tab]]:
    """Opens a tab on the page of `node`; a complaint on its console fails the test."""
    tabs: list[Tab] = []
    complaints: list[str] = []
    url = serve(node)

    def open_it(path: str = "/", **options: Any) -> Tab:
        tabs.append(open_tab(chromium, url, path, complaints, **options))
        return tabs[-1]

    yield open_it
    for tab in tabs:
        tab.context.close()
    assert complaints == []
