"""Whose Studio it is: sessions that end, other tabs, and words that must not get lost or reach the next person."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, Route, expect

from deploy.local.stack import LocalStack
from tests.browser.conftest import Complaints
from tests.browser.steps import SCRIPT, TITLE, log_in, open_studio, press, textbox, write, write_script
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
