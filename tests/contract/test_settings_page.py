"""The settings page is what the settings are."""

from deploy.settings_page import ROOT, page, undocumented


def test_every_setting_says_what_it_means() -> None:
    assert undocumented() == []


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page(), "run: make docs"
