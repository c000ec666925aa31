"""The web tasks of MiniWoB++ (MIT): small pages that say what to do and whether it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vergence.data.generator import SourceItem, source_item
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.gui.browser import Site, advance

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH, HEIGHT = 160, 210
"""CSS pixels of every task."""

TASKS = (
    "click-button", "click-button-sequence", "click-checkboxes", "click-checkboxes-large", "click-checkboxes-soft",
    "click-checkboxes-transfer", "click-collapsible", "click-dialog", "click-dialog-2", "click-link", "click-option",
    "click-tab", "click-tab-2", "click-test", "click-test-2", "click-widget", "choose-list", "email-inbox",
    "email-inbox-forward", "enter-date", "enter-password", "enter-text", "enter-text-2", "enter-text-dynamic",
    "enter-time", "find-word", "focus-text", "focus-text-2", "form-sequence", "form-sequence-2", "form-sequence-3",
    "login-user", "login-user-popup", "multi-layouts", "multi-orderings", "navigate-tree", "order-food", "phone-book",
    "read-table", "read-table-2", "search-engine", "sign-agreement", "social-media", "text-editor", "text-transform",
    "use-autocomplete", "buy-ticket", "stock-market", "daily-calendar",
)  # fmt: skip
"""Tasks with forms, buttons and text; those of drawn shapes alone are left out."""


def task_site(task: str) -> tuple[Site, SourceItem]:
    """The page of a task and its record."""
    folder = package_folder("miniwob") / "miniwob" / "html"
    file = folder / "miniwob" / f"{task}.html"
    item = source_item("miniwob", task, file.read_bytes(), "MIT")
    return Site(path=f"html/miniwob/{task}.html", folders={"html": folder}), item


def start(page: Page, seed: int) -> None:
    """Begin the episode that a seed gives, with no end of time, and leave nothing but the task on the screen."""
    page.evaluate(
        """seed => {
            Math.seedrandom(String(seed));
            core.EPISODE_MAX_TIME = 2e9;
            core.startEpisodeReal();
            for (const name of ["reward-display", "click-canvas"]) {
                const found = document.getElementById(name);
                if (found) found.style.display = "none";
            }
        }""",
        seed,
    )
    advance(page)


def instruction(page: Page) -> str:
    """What the task asks for."""
    return " ".join(str(page.evaluate("document.getElementById('query').innerText")).split())


def reward(page: Page) -> float | None:
    """The raw reward, which doesn't depend on time; None while the episode lasts."""
    done, value = page.evaluate("[WOB_DONE_GLOBAL, WOB_RAW_REWARD_GLOBAL]")
    return float(value) if done else None


def uncover(page: Page) -> None:
    """Take away what covers a task that has ended, so that the screen shows how it was left."""
    page.evaluate("document.getElementById('sync-task-cover').style.display = 'none'")
