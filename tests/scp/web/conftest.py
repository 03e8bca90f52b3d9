"""A node's folder, the page on it, and clients for the page."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from playwright.sync_api import Page as Tab

from config.settings import Settings
from inference.results import StudyResult
from peers.live_page import Client, LivePage
from phantoms.web_node import WebNode

HEADLESS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
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
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(HEADLESS))
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Browser, node: WebNode, serve: Callable[[WebNode], str]) -> Iterator[Callable[..., Tab]]:
    """Opens a tab on the page of `node`; a complaint on its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    url = serve(node)

    def open_tab(path: str = "/", width: int = 1440, height: int = 900, **options: Any) -> Tab:
        context = chromium.new_context(base_url=url, viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(60_000)
        tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(path)
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    assert complaints == []
