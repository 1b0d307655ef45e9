"""Studio as a person uses it: from the log-in to a video that plays, and out again."""

from itertools import pairwise
from urllib.parse import urljoin

import pytest
from playwright.async_api import Locator, Page, expect

from deploy.local.stack import LocalStack
from tests.browser.conftest import Complaints
from tests.conftest import User

# The first test also waits for the stack to start.
pytestmark = pytest.mark.timeout(300)

TITLE = "What <b>nobody</b> tells first-time buyers"
SCRIPT = {
    "Title": TITLE,
    "Hook": "Most buyers make this mistake in the first five minutes.",
    "Body": "They fall for the kitchen. Look at the roof first. Ask for the energy bill.",
    "Conclusion": "Follow for the whole checklist.",
    "Company name": "Northside Homes",
    "License": "DRE 01234567",
    "Social handles": "@northside",
    "Contact email": "hello@northside.example.com",
}
ORDER = ["queued", "rendering", "storing", "ready"]
RENDERED_MS = 90_000
NOT_LOGGED_IN = [("/api/auth/me", 401), ("/api/auth/refresh", 401)]

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


async def open_studio(page: Page, stack: LocalStack) -> None:
    answer = await page.goto(f"{stack.url('gateway')}/")
    assert answer
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def log_in(page: Page, email: str, password: str) -> None:
    form = page.locator("#login")
    await form.get_by_label("Email").fill(email)
    await form.get_by_label("Password").fill(password)
    await form.get_by_role("button", name="Log in").click()


async def write_script(page: Page) -> None:
    for label, text in SCRIPT.items():
        await write(label, text, page)
    presenter = page.get_by_role("combobox", name="Presenter of the opening")
    await presenter.select_option(index=1)
    chosen = await presenter.input_value()
    await expect(page.get_by_role("combobox", name="Presenter of the ending")).to_have_value(chosen)


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


async def overflow_pixels(page: Page) -> int:
    overflow: int = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return overflow


def textbox(label: str, page: Page) -> Locator:
    return page.get_by_role("textbox", name=label, exact=True)


async def write(label: str, text: str, page: Page) -> None:
    await textbox(label, page).fill(text)


async def press(name: str, page: Page) -> None:
    await page.get_by_role("button", name=name, exact=True).click()
