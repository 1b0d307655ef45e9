"""Whose Studio it is: sessions that end, other tabs, and words that must not get lost or reach the next person."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from playwright.async_api import Page, Route, expect

from deploy.local.stack import LocalStack
from tests.browser.conftest import PATIENCE_MS, Complaints
from tests.browser.steps import (
    NOT_LOGGED_IN,
    SCRIPT,
    TITLE,
    log_in,
    open_studio,
    overflow_pixels,
    press,
    textbox,
    write,
    write_script,
)
from tests.conftest import User
from tests.driving import ask

# The first test also waits for the stack to start.
pytestmark = pytest.mark.timeout(300)


async def another_tab(page: Page, complaints: Complaints, stack: LocalStack) -> Page:
    tab = await page.context.new_page()
    complaints.listen_to(tab)
    await open_studio(tab, stack)
    return tab


@asynccontextmanager
async def slow_answer(path: str, page: Page) -> AsyncIterator[None]:
    """Hold what the page asks of `path` back until the end of the block."""
    over = asyncio.Event()

    async def hold(route: Route) -> None:
        await over.wait()
        await route.continue_()

    await page.route(f"**{path}", hold)
    try:
        yield
    finally:
        over.set()


@contextmanager
def hanging(name: str, stack: LocalStack) -> Iterator[None]:
    """Let an engine keep its connections and answer nothing until the end of the block."""
    pid = stack.pid(name)
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def expect_waiting(page: Page) -> None:
    await expect(page.get_by_role("heading", name="One moment, please.")).to_be_visible(timeout=5_000)
    await expect(page.locator("#login")).to_be_hidden()
    assert await overflow_pixels(page) <= 0


async def test_who_comes_while_the_database_hangs_is_let_in_when_it_is_back(
    page: Page, complaints: Complaints, stack: LocalStack, user: User
) -> None:
    await open_studio(page, stack)
    await log_in(page, user.email, user.password)
    await expect(page.locator("#signal")).to_have_text("Live")
    with hanging("gateway-db", stack):
        await page.reload()
        await expect_waiting(page)
    await expect(page.locator("#signal")).to_have_text("Live", timeout=PATIENCE_MS * 2)
    await expect(page.get_by_role("heading", name="Your videos")).to_be_visible()
    await expect(page.locator("#waiting")).to_be_hidden()
    assert complaints.apart_from(*NOT_LOGGED_IN, ("/api/auth/me", 503)) == []


async def test_who_comes_while_the_gateway_cannot_be_reached_finds_what_fits_when_it_can(
    page: Page, stack: LocalStack
) -> None:
    await page.route("**/api/auth/me", lambda route: route.abort())
    await open_studio(page, stack)
    await expect_waiting(page)
    await page.unroute("**/api/auth/me")
    await expect(page.locator("#login")).to_be_visible()
    await expect(page.locator("#waiting")).to_be_hidden()


async def test_a_session_that_ends_costs_no_words(
    page: Page, complaints: Complaints, stack: LocalStack, user: User
) -> None:
    await open_studio(page, stack)
    await log_in(page, user.email, user.password)
    await write("Hook", SCRIPT["Hook"], page)
    await page.context.clear_cookies()
    # Not a click: any other call of the page may meet the missing cookie first and put the door in front.
    await page.locator("#generate [type=submit]").dispatch_event("click")
    await expect(page.get_by_text("Your session has ended")).to_be_visible()
    await log_in(page, user.email, user.password)
    await expect(textbox("Hook", page)).to_have_value(SCRIPT["Hook"])

    await press("Log out", page)
    await expect(page.locator("#login")).to_be_visible()
    await page.reload()
    await expect(page.locator("#login")).to_be_visible()
    assert [said for said in complaints.said if not said.startswith("status of 401")] == []


async def test_what_is_typed_while_an_answer_takes_long_is_kept_for_the_next_video(
    page: Page, stack: LocalStack, user: User
) -> None:
    await open_studio(page, stack)
    await log_in(page, user.email, user.password)
    await write_script(page)
    async with slow_answer("/api/video/generate-video", page):
        await press("Generate video", page)
        await write("Title", "The next one", page)
    await expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    await expect(textbox("Title", page)).to_have_value("The next one")
    await expect(textbox("Title", page)).to_be_focused()
    await expect(textbox("Hook", page)).to_have_value("")

    await page.get_by_text("Bring in a video by link").click()
    await write("Video link", "https://videos.example.com/first.mp4", page)
    await write("Title of the import", "The first import", page)
    async with slow_answer("/api/video/download-video", page):
        await press("Import video", page)
        await write("Video link", "https://videos.example.com/second.mp4", page)
    await expect(page.get_by_role("heading", name="The first import")).to_be_visible()
    await expect(textbox("Video link", page)).to_have_value("https://videos.example.com/second.mp4")
    await expect(textbox("Video link", page)).to_be_focused()
    await expect(textbox("Title of the import", page)).to_have_value("")


async def test_a_log_out_is_one_for_every_tab(
    page: Page, complaints: Complaints, stack: LocalStack, new_user: Callable[[], Awaitable[User]]
) -> None:
    first, second = await new_user(), await new_user()
    await ask(first.client, TITLE)
    await open_studio(page, stack)
    await log_in(page, first.email, first.password)
    await expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    tab = await another_tab(page, complaints, stack)
    await expect(tab.get_by_role("heading", name=TITLE)).to_be_visible()
    await write("Hook", SCRIPT["Hook"], tab)

    await press("Log out", page)
    await expect(tab.locator("#login")).to_be_visible()
    await expect(tab.locator("#signal")).to_be_hidden()
    await expect(tab.get_by_role("article", include_hidden=True)).to_have_count(0)

    await log_in(tab, second.email, second.password)
    await expect(tab.get_by_text("Nothing on the line yet")).to_be_visible()
    await expect(textbox("Hook", tab)).to_have_value("")
    assert [said for said in complaints.said if not said.startswith("status of 401")] == []


async def test_who_logs_in_in_one_tab_is_who_every_tab_belongs_to(
    page: Page, complaints: Complaints, stack: LocalStack, new_user: Callable[[], Awaitable[User]]
) -> None:
    first, second = await new_user(), await new_user()
    await ask(first.client, TITLE)
    await open_studio(page, stack)
    await log_in(page, first.email, first.password)
    await expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    await write("Hook", SCRIPT["Hook"], page)
    await page.context.clear_cookies()
    tab = await another_tab(page, complaints, stack)
    await log_in(tab, second.email, second.password)
    await expect(page.get_by_text("Nothing on the line yet")).to_be_visible()
    await expect(textbox("Hook", page)).to_have_value("")
    await expect(page.get_by_role("article", include_hidden=True)).to_have_count(0)
