"""Debian's Chromium, headless, and a tab whose complaints are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

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


@contextmanager
def started_chromium() -> Iterator[Browser]:
    """A browser that is closed afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(HEADLESS))
        yield browser
        browser.close()


def open_tab(browser: Browser, url: str, path: str, complaints: list[str], **options: Any) -> Page:
    """A tab of its own context at `url` + `path`; errors on its console go to `complaints`."""
    context = browser.new_context(base_url=url, **{"viewport": {"width": 1440, "height": 900}, **options})
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(path)
    return tab
