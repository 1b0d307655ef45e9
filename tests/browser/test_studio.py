"""Studio as a person uses it: from the log-in to a video that plays, and out again."""

from itertools import pairwise
from urllib.parse import urljoin

import pytest
from playwright.async_api import Locator, Page, expect

from deploy.local.stack import LocalStack
from tests.browser.conftest import Complaints
from tests.browser.steps import (
    NOT_LOGGED_IN,
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

# The first test also waits for the stack to start.
pytestmark = pytest.mark.timeout(300)

ORDER = ["queued", "rendering", "storing", "ready"]
RENDERED_MS = 90_000

# Keeps each state that the newest card goes through, however short.
WATCH = """
window.journey = [];
new MutationObserver(() => {
  const card = document.querySelector('article.card');
  if (!card?.dataset.stage) return;
  const route = card.querySelector('[role=progressbar]');
  const state = [card.dataset.stage, Number(route.getAttribute('aria-valuenow'))];
  if (String(window.journey.at(-1)) !== String(state)) window.journey.push(state);
}).observe(document, { subtree: true, childList: true, attributeFilter: ['data-stage', 'aria-valuenow'] });
"""

# Tells one card each piece of news; returns its attempt, stage and progress after each.
TELL = """
async (told) => {
  const { advance, newsFromStream, newsFromAcceptance } = await import('/studio/journey.js');
  let item = advance(undefined, newsFromAcceptance({ videoId: 'v' }, 'Title'));
  return told.map((notification) => {
    item = advance(item, newsFromStream({ videoId: 'v', ...notification }));
    return [item.attempt, item.stage, item.progress].join(' ').trim();
  });
}
"""

# Gives one card each answer of the gateway; returns what is said under its progress after each.
SHOW = """
async (answers) => {
  const { advance, newsFromVideo } = await import('/studio/journey.js');
  const { Card } = await import('/studio/card.js');
  const card = new Card({});
  let item;
  return answers.map((video) => {
    item = advance(item, newsFromVideo(video));
    card.show(item);
    return card.root.querySelector('.detail').textContent;
  });
}
"""


async def test_a_script_becomes_a_video_that_plays(
    page: Page, complaints: Complaints, stack: LocalStack, user: User
) -> None:
    await page.add_init_script(WATCH)
    await open_studio(page, stack)

    await log_in(page, user.email, "not the password")
    await expect(page.locator("#login [role=alert]")).not_to_be_empty()
    await log_in(page, user.email, user.password)
    await expect(page.locator("#signal")).to_have_text("Live")
    await expect(page.get_by_text("Nothing on the line yet")).to_be_visible()

    await write("Title", TITLE, page)
    await press("Generate video", page)
    await expect(page.locator("#g-hook-error")).not_to_be_empty()
    await expect(page.locator("#g-title-error")).to_be_hidden()
    await expect(textbox("Hook", page)).to_be_focused()

    await write_script(page)
    await press("Generate video", page)
    card = page.get_by_role("article").filter(has=page.get_by_role("heading", name=TITLE))
    await expect(card).to_be_visible()
    await expect(card.get_by_role("heading")).to_be_focused()
    await expect(card.get_by_text("Ready", exact=True)).to_be_visible(timeout=RENDERED_MS)
    await expect_journey_in_order(page)

    await expect_playing(card.locator("video"))
    await expect_download(card.get_by_role("link", name="Download"), page)

    await card.get_by_role("button", name="Delete").click()
    await press("Keep it", page)
    await expect(card).to_be_visible()
    await card.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(card).to_have_count(0)
    await page.reload()
    await expect(page.get_by_text("Nothing on the line yet")).to_be_visible()

    refused = [*NOT_LOGGED_IN, ("/api/auth/login", 401), ("/api/video/generate-video", 422)]
    assert complaints.apart_from(*refused) == []


async def test_news_in_any_order_never_takes_a_card_back(page: Page, stack: LocalStack) -> None:
    await open_studio(page, stack)
    told = [
        {"type": "rendering", "attempt": 1, "progress": 50},
        {"type": "rendering", "attempt": 1, "progress": 40},
        {"type": "download", "attempt": 1},
        {"type": "rendering", "attempt": 1, "progress": 90},
        {"type": "error", "attempt": 1, "message": "No."},
        {"type": "transfer", "attempt": 1, "progress": 3},
        {"type": "rendering", "attempt": 2},
        {"type": "error", "attempt": 1, "message": "No."},
    ]
    assert await page.evaluate(TELL, told) == [
        "1 rendering 50",
        "1 rendering 50",
        "1 storing",
        "1 storing",
        "1 failed",
        "1 failed",
        "2 rendering",
        "2 rendering",
    ]


async def test_what_holds_a_transfer_up_is_said_until_it_goes_on(page: Page, stack: LocalStack) -> None:
    await open_studio(page, stack)
    waiting = "The video's server can't be reached. Trying again."
    video = {"videoId": "v", "attempt": 1, "status": "processing"}
    told = [
        {**video, "stage": "rendering", "message": "Scene 3 of 7"},
        {**video, "stage": "rendering"},
        {**video, "stage": "transferring"},
        {**video, "stage": "transferring", "message": waiting},
        {**video, "stage": "transferring"},
    ]
    assert await page.evaluate(SHOW, told) == ["Scene 3 of 7", "Scene 3 of 7", "", waiting, ""]


async def test_it_fits_a_narrow_phone(page: Page, stack: LocalStack, user: User) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await open_studio(page, stack)
    assert await overflow_pixels(page) == 0
    await log_in(page, user.email, user.password)
    await expect(page.get_by_text("Nothing on the line yet")).to_be_visible()
    assert await overflow_pixels(page) == 0


async def expect_journey_in_order(page: Page) -> None:
    journey = await page.evaluate("window.journey")
    stages = [stage for stage, _ in journey]
    distances = [distance for _, distance in journey]
    assert stages == sorted(stages, key=ORDER.index), journey
    assert {"rendering", "ready"} <= set(stages), journey
    assert all(before <= after for before, after in pairwise(distances)), journey
    assert len(set(distances)) > 3, f"hardly any progress was shown: {journey}"


async def expect_playing(video: Locator) -> None:
    await video.click()
    await expect(video).to_have_js_property("paused", value=False)
    await expect(video).not_to_have_js_property("videoWidth", 0)
    await expect(video).not_to_have_js_property("currentTime", 0)


async def expect_download(link: Locator, page: Page) -> None:
    answer = await page.request.get(urljoin(page.url, await link.get_attribute("href") or ""))
    assert answer.ok
    assert (await answer.body())[4:8] == b"ftyp"
