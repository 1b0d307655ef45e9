"""What a person does in Studio, step by step."""

from playwright.async_api import Locator, Page, expect

from deploy.local.stack import LocalStack

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
NOT_LOGGED_IN = [("/api/auth/me", 401), ("/api/auth/refresh", 401)]


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


async def overflow_pixels(page: Page) -> int:
    overflow: int = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return overflow


def textbox(label: str, page: Page) -> Locator:
    return page.get_by_role("textbox", name=label, exact=True)


async def write(label: str, text: str, page: Page) -> None:
    await textbox(label, page).fill(text)


async def press(name: str, page: Page) -> None:
    await page.get_by_role("button", name=name, exact=True).click()
