"""One headless Chromium for each process, whose pages look the same whenever they are drawn on this machine.

```
opened(html, width, height) ─▶ a fresh context ─▶ http://page.test/ from memory, /NAME/... from folders, nothing else
```

Every request is answered here, so that no page reaches a network. Timers, the clock and random numbers of a page are
set (`page.js`), animations and the caret are off, text is drawn in grey, without hinting. What a page still depends on
is Chromium's version and, where a page names no font of ours, the fonts of the system: see `renderer`.
"""

from __future__ import annotations

import atexit
import mimetypes
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from vergence.errors import DataError, UsageError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright, Route

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
"""Names under which Chromium is looked for; VERGENCE_CHROMIUM names another."""

HOST = "http://page.test/"
START = 1_735_725_600_000
"""What a page's clock begins at, in milliseconds: 2025-01-01 10:00 UTC."""

FLAGS = (
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--force-color-profile=srgb",
    "--disable-lcd-text",
    "--font-render-hinting=none",
    "--disable-gpu",
    "--disable-partial-raster",
    "--disable-skia-runtime-opts",
    "--disable-smooth-scrolling",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--no-first-run",
)
STILL = (
    "*, *::before, *::after { transition: none !important; animation: none !important;"
    " caret-color: transparent !important; scroll-behavior: auto !important }"
)


@dataclass(frozen=True, slots=True)
class Site:
    """What is shown: the page as HTML, or the `path` of one in `folders`, the first parts of paths and their files."""

    html: str | None = None
    path: str = ""
    folders: Mapping[str, Path] = field(default_factory=dict)


def find_program() -> str | None:
    """The path of Chromium, or None where there is none."""
    named = os.environ.get("VERGENCE_CHROMIUM")
    return named or next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@dataclass(slots=True)
class _Running:
    """The browser of a process and thread; playwright's objects can't be used from another."""

    owner: tuple[int, int]
    driver: Playwright
    browser: Browser


_running: list[_Running] = []


def _browser() -> Browser:
    owner = (os.getpid(), threading.get_ident())
    for running in _running:
        if running.owner == owner and running.browser.is_connected():
            return running.browser
    from playwright.sync_api import sync_playwright

    program = find_program()
    if program is None:
        raise UsageError("pages are drawn by Chromium, which isn't here: apt-get install chromium")
    driver = sync_playwright().start()
    # Chromium's sandbox refuses to run as root.
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    browser = driver.chromium.launch(executable_path=program, headless=True, args=flags)
    _running[:] = [running for running in _running if running.owner[0] == owner[0] and running.owner != owner]
    _running.append(_Running(owner, driver, browser))
    atexit.register(close)
    return browser


def close() -> None:
    """End the browser of this thread; the next page starts another. A process that is killed takes it along too."""
    owner = (os.getpid(), threading.get_ident())
    for running in [running for running in _running if running.owner == owner]:
        _running.remove(running)
        running.browser.close()
        running.driver.stop()


def renderer() -> dict[str, str]:
    """What draws the pages, for the record of a sample."""
    return {"chromium": _browser().version}


@contextmanager
def opened(
    site: Site, width: int, height: int, *, scale: float = 1, seed: int = 0, language: str = "en-US"
) -> Iterator[Page]:
    """A page of `width` x `height` CSS pixels, `scale` pixels of the picture to each, loaded and still.

    Raises `DataError` for a page that doesn't load, `UsageError` where there is no Chromium.
    """
    from playwright.sync_api import Error

    context = _browser().new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        locale=language,
        timezone_id="UTC",
        color_scheme="light",
        reduced_motion="reduce",
        service_workers="block",
    )
    try:
        context.add_init_script(_init_script(seed))
        context.route("**/*", lambda route: _answer(route, site))
        page = context.new_page()
        try:
            response = page.goto(HOST + site.path, wait_until="load")
            if response is None or not response.ok:
                raise DataError(f"page {site.path}: isn't there")
            page.add_style_tag(content=STILL)
            page.evaluate("document.fonts.ready.then(() => { vergenceAdvance(1000) })")
        except Error as error:
            raise DataError(f"page {site.path or 'made'}: {str(error).splitlines()[0]}") from None
        yield page
    finally:
        context.close()


def advance(page: Page, milliseconds: int = 1000) -> None:
    """Let the page's time pass, so that what it has delayed happens."""
    page.evaluate("span => { vergenceAdvance(span) }", milliseconds)


def screenshot(page: Page, *, clip: tuple[float, float, float, float] | None = None) -> bytes:
    """What the page shows as PNG: all of the viewport, or the box `clip` (x1, y1, x2, y2) in CSS pixels."""
    area: Any = None
    if clip is not None:
        area = {"x": clip[0], "y": clip[1], "width": clip[2] - clip[0], "height": clip[3] - clip[1]}
    return page.screenshot(type="png", scale="device", clip=area)


@cache
def _script() -> str:
    return (files("vergence.data.synthesis.gui") / "page.js").read_text(encoding="utf-8")


def _init_script(seed: int) -> str:
    return _script().replace("START", str(START)).replace("SEED", str(seed))


def _answer(route: Route, site: Site) -> None:
    """Answer a request from memory or a folder; refuse every other one."""
    address = route.request.url
    if not address.startswith(HOST):
        route.abort()
        return
    path = unquote(urlsplit(address).path).lstrip("/")
    if not path and site.html is not None:
        route.fulfill(body=site.html, content_type="text/html; charset=utf-8")
        return
    name, _, rest = path.partition("/")
    folder = site.folders.get(name)
    file = (folder / rest).resolve() if folder else None
    # A package's pages may link outside of their folder, but not outside of the package.
    if file is None or folder is None or not file.is_relative_to(folder.resolve()) or not file.is_file():
        route.fulfill(status=404, body="")
        return
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    route.fulfill(body=file.read_bytes(), content_type="text/html; charset=utf-8" if kind == "text/html" else kind)
