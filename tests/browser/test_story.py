"""What happened to a video, as a person reads it in Studio: with the keyboard, live, and on a phone."""

import httpx
import pytest
from playwright.async_api import Page, expect

from deploy.local.stack import LocalStack
from tests.browser.conftest import Complaints
from tests.browser.steps import NOT_LOGGED_IN, log_in, open_studio, overflow_pixels
from tests.conftest import User
from tests.driving import Json, ask, wait_for_status

# The first test also waits for the stack to start.
pytestmark = pytest.mark.timeout(300)

TITLE = "Told in full"
LONG_TITLE = "W " * 499 + "W"
LIVE_MS = 60_000
FAULTS: list[Json] = [
    {"kind": "refuse", "status": 404, "times": 1},
    {"kind": "fail", "message": "The avatar provider has no credits left", "times": 1},
]


async def test_the_story_of_a_video_that_failed_and_then_came(
    page: Page, complaints: Complaints, stack: LocalStack, user: User
) -> None:
    async with httpx.AsyncClient(base_url=stack.url("workflow"), timeout=10) as engine:
        answer = await engine.put("/control/faults", params={"job": TITLE}, json={"faults": FAULTS})
        assert answer.status_code < 300, answer.text
    video_id = await ask(user.client, TITLE)
    await wait_for_status(user.client, video_id, "failed")

    await open_studio(page, stack)
    await log_in(page, user.email, user.password)
    card = page.get_by_role("article").filter(has=page.get_by_role("heading", name=TITLE))
    why = "The rendering failed: The avatar provider has no credits left (1 call was refused"
    await expect(card.locator(".detail")).to_contain_text(why)

    opener = card.get_by_role("button", name="What happened")
    await opener.focus()
    await page.keyboard.press("Enter")
    story = page.get_by_role("dialog", name="What happened")
    await expect(story.get_by_role("status")).to_contain_text(why)
    first = story.get_by_role("region", name="Attempt 1").get_by_role("listitem")
    await expect(first.first).to_contain_text("You asked for this video.")
    refused = first.filter(has_text="Call 1 was refused (status 404)")
    await expect(refused.locator("time")).to_contain_text("+")
    assert await refused.locator("time").get_attribute("title")
    await refused.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(refused.get_by_text("status 404", exact=True)).to_be_visible()

    # Everything from here on appears by itself, and what is open stays open.
    assert (await user.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    second = story.get_by_role("region", name="Attempt 2").get_by_role("listitem")
    await expect(second.first).to_contain_text("You asked for another try", timeout=LIVE_MS)
    await expect(story.get_by_role("status")).to_have_text("The video is ready to watch.", timeout=LIVE_MS)
    await expect(second.filter(has_text="You were told that the video is ready.")).to_have_count(1)
    await expect(refused.get_by_text("status 404", exact=True)).to_be_visible()

    await page.keyboard.press("Escape")
    await expect(story).to_be_hidden()
    await expect(opener).to_be_focused()
    assert complaints.apart_from(*NOT_LOGGED_IN) == []

    await page.set_viewport_size({"width": 360, "height": 740})
    await opener.click()
    await expect(second.first).to_be_visible()
    assert await overflow_pixels(page) == 0
    body = story.locator(".story-body")
    assert await body.evaluate("(element) => element.scrollWidth - element.clientWidth") == 0


async def test_a_title_as_long_as_it_may_be_leaves_room_for_the_story(
    page: Page, stack: LocalStack, user: User
) -> None:
    await ask(user.client, LONG_TITLE)
    await open_studio(page, stack)
    await log_in(page, user.email, user.password)
    await page.get_by_role("button", name="What happened").click()
    title = page.locator("#story-of")
    await expect(title).to_have_attribute("title", LONG_TITLE)
    for width, height in (360, 740), (1280, 900):
        await page.set_viewport_size({"width": width, "height": height})
        box = await page.get_by_role("region", name="Timeline").bounding_box()
        assert box
        assert box["y"] < height / 2
        assert await overflow_pixels(page) == 0
