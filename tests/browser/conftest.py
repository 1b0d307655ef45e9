"""A page in the system's Chromium, which writes down everything that goes wrong in it."""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.conftest import one_stack

stack = one_stack()

FLAGS = ["--disable-gpu", "--disable-sync", "--disable-quic", "--no-first-run"]
PATIENCE_MS = 20_000


@dataclass
class Complaints:
    """Errors the page showed in its console, threw, or met with its content security policy."""

    said: list[str] = field(default_factory=list)

    def listen_to(self, page: Page) -> None:
        """Write down what goes wrong from now on."""
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def apart_from(self, *refusals: tuple[str, int]) -> list[str]:
        """Return what was said, without the refusals (path, status) that a test provoked on purpose."""
        expected = [f"status of {status} at {path}" for path, status in refusals]
        return [said for said in self.said if said not in expected]

    def _note(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        status = message.text.partition("responded with a status of ")[2][:3]
        path = urlsplit(message.location["url"]).path
        self.said.append(f"status of {status} at {path}" if status else f"{message.text} at {path}")


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """The system's Chromium: CHROMIUM names it, else it is looked for in PATH."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not executable:
        pytest.skip("Chromium is not here: install the package chromium, or set CHROMIUM to its path")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(chromium: Browser) -> Page:
    """A new page of a person who has never been here."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    return await context.new_page()


@pytest.fixture
def complaints(page: Page) -> Complaints:
    """What the page complains about, from its first moment."""
    complaints = Complaints()
    complaints.listen_to(page)
    return complaints
