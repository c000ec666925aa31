"""Pages and episodes in Chromium: boxes by other routes, clicks that land, episodes replayed, equal bytes."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.gui import miniwob, tasks
from vergence.data.synthesis.gui.browser import HOST, Site, close, opened, screenshot
from vergence.data.synthesis.gui.elements import visible_elements
from vergence.data.synthesis.gui.episode import Intent, Player, perform
from vergence.data.synthesis.gui.gallery import OPTIONS, VALUES, WORDS, document, make_page
from vergence.errors import DataError
from vergence.processing.media import decode_image
from vergence.verifiers.actions import parse_action

pytestmark = pytest.mark.skipif(bool(why_unavailable("web-page")), reason=why_unavailable("web-page") or "")


@pytest.fixture(scope="module", autouse=True)
def ended():
    yield
    close()


def made(seed, language="en"):
    return make_page(random.Random(seed), language, "train")


def test_boxes_and_words_are_those_of_another_route():
    """Playwright's own locators are asked for the box, and for the inner text."""
    compared = 0
    for seed in range(2):
        with opened(made(seed).site, 960, 640) as page:
            elements = visible_elements(page)
            for kind, selector in (("button", "button"), ("checkbox", "input[type=checkbox]"), ("tab", "[role=tab]")):
                whole = [e for e in elements if e.type == kind and e.plain]
                boxes = {}
                for handle in page.locator(selector).all():
                    box = handle.bounding_box()
                    assert box is not None
                    key = tuple(
                        round(v, 1) for v in (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
                    )
                    boxes[key] = " ".join(handle.inner_text().split())
                for element in whole:
                    key = tuple(round(v, 1) for v in element.box)
                    assert boxes[key] == element.text
                    compared += 1
    assert compared >= 10


def test_a_recoloured_element_is_where_its_box_is():
    with opened(made(1).site, 960, 640) as page:
        for element in [e for e in visible_elements(page) if e.plain and e.type == "button"][:3]:
            before = np.asarray(decode_image(screenshot(page))).astype(int)
            x, y = element.middle
            page.evaluate(
                "([x, y]) => { const e = document.elementFromPoint(x, y).closest('button');"
                " e.style.background = 'rgb(255,0,255)'; e.style.borderRadius = 0; e.style.color = 'lime' }",
                [x, y],
            )
            after = np.asarray(decode_image(screenshot(page))).astype(int)
            rows, columns = np.nonzero(np.abs(before - after).sum(axis=2) > 60)
            seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert np.abs(np.subtract(seen, element.box)).max() <= 1


def test_the_box_of_a_heading_is_that_of_its_words():
    """What goes when the words are made transparent lies in the box and nearly fills its width."""
    with opened(made(3).site, 960, 640) as page:
        headings = [e for e in visible_elements(page) if e.type == "heading" and e.plain]
        assert headings
        for element in headings:
            before = np.asarray(decode_image(screenshot(page))).astype(int)
            page.evaluate("([x, y]) => { document.elementFromPoint(x, y).style.color = 'transparent' }", element.middle)
            after = np.asarray(decode_image(screenshot(page))).astype(int)
            rows, columns = np.nonzero(np.abs(before - after).sum(axis=2) > 60)
            x1, y1, x2, y2 = element.box
            assert x1 - 1 <= columns.min() <= x1 + 4
            assert x2 - 4 <= columns.max() + 1 <= x2 + 1
            assert y1 <= rows.min() <= rows.max() < y2


def test_a_change_is_boxed_where_the_pictures_differ():
    generator = load_generator("web-page")
    for index in (52, 73):
        sample = make_sample("web-page", generator, generator.Config(), 11, index)
        first, second = (np.asarray(decode_image(image)).astype(int) for image in sample.images)
        rows, columns = np.nonzero(np.abs(first - second).max(axis=2) > 40)
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert np.abs(np.subtract(seen, sample.metadata["checks"][0]["target"])).max() <= 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_lists_and_fields_hold_what_belongs_in_them(language):
    lists = 0
    for seed in range(4):
        with opened(made(seed, language).site, 960, 1400) as page:
            for element in visible_elements(page):
                if element.type == "drop-down list":
                    assert element.state in OPTIONS[language][element.name]
                    lists += 1
                if element.type == "text field" and element.state:
                    assert element.state in VALUES[language][element.name]
    assert lists


def test_a_dragged_item_is_seen_in_its_folder_and_fields_are_told_apart():
    rng = random.Random(1)
    body, _, intents, goal = tasks._sort(rng, WORDS["en"], "en")
    with opened(Site(document("en", "", "", body, goal)), 640, 480) as page:
        player = Player(page, rng, (640, 480), 1, "en", 0.0)
        list(player.play(intents))
        assert page.evaluate("goal()")
        folder = page.locator(".bin", has_text=intents[0].onto)
        assert intents[0].name in folder.inner_text()
    with opened(Site("<input><input>"), 640, 480) as page:
        player = Player(page, rng, (640, 480), 1, "en", 0.0)
        (step,) = player.play([Intent("click", type="text field", number=1)])
        assert "the second text field" in step.thought.lower()


def test_a_click_on_the_middle_reaches_the_element():
    with opened(made(2).site, 960, 640) as page:
        page.evaluate("addEventListener('click', (event) => { window.hit = event.target }, true)")
        for element in [e for e in visible_elements(page) if e.clickable and e.plain and e.type != "drop-down list"]:
            page.mouse.click(*element.middle)
            box = page.evaluate(
                "(() => { const b = (hit.closest('button,[role=tab],input,a') || hit).getBoundingClientRect();"
                " return [b.left, b.top, b.right, b.bottom] })()"
            )
            assert np.allclose(box, element.box, atol=0.6), element


def test_what_a_dialog_covers_is_not_named():
    site = Site(
        "<body><button>under</button><button style='margin-left:300px'>free</button>"
        "<div style='position:fixed;left:0;top:0;width:200px;height:200px;background:red'></div>"
        "<button style='display:none'>gone</button><button style='visibility:hidden'>unseen</button></body>"
    )
    with opened(site, 640, 400) as page:
        assert [e.name for e in visible_elements(page) if e.type == "button"] == ["free"]


def test_pages_reach_nothing_outside_of_their_folders(tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    with opened(Site("<p>here</p>", folders={"pages": tmp_path / "pages"}), 200, 100) as page:
        for path in ("pages/..%2Fsecret.txt", "pages/none", "other"):
            assert page.evaluate("path => fetch(path).then((r) => r.status)", HOST + path) == 404
        assert page.evaluate("fetch('http://example.org/').then(() => true, () => false)") is False
    with pytest.raises(DataError, match="pages/none"), opened(Site(path="pages/none"), 200, 100):
        pass


def test_time_passes_only_when_told():
    site = Site("<script>let n = 0; setInterval(() => { n += 1 }, 100)</script>")
    with opened(site, 100, 100, seed=4) as page:
        first = page.evaluate("[n, Date.now(), Math.random()]")
        assert page.evaluate("[n, Date.now()]") == first[:2]
        page.evaluate("vergenceAdvance(1000)")
        assert page.evaluate("n") == first[0] + 10
    with opened(site, 100, 100, seed=4) as page:
        assert page.evaluate("[n, Date.now(), Math.random()]") == first


SCRIPT = """
import hashlib, io
from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator
from vergence.data.shards.samples import members_of
for kind, index in (("web-page", 3), ("gui-trajectory", 3)):
    generator = load_generator(kind)
    sample = make_sample(kind, generator, generator.Config(), 7, index)
    for name, data in members_of(sample, "0", where="here", max_bytes=2**28).items():
        print(name, hashlib.sha256(data).hexdigest())
"""


def test_two_processes_draw_the_same_bytes():
    runs = [
        subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True) for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert ".png" in runs[0].stdout


def children(root):
    """Ids of all processes below one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    below, found = {root}, set()
    while below:
        below = {pid for pid, parent in parents.items() if parent in below} - found
        found |= below
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_killed_process_takes_its_browser_along():
    code = "from vergence.data.synthesis.gui.browser import renderer; renderer(); print('up', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    browser = children(process.pid)
    assert browser
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(100):
        left = {pid for pid in browser if Path(f"/proc/{pid}/stat").exists()
                and (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z")}  # fmt: skip
        if not left:
            break
        time.sleep(0.1)
    assert not left


def replayed(sample):
    """The episode played again from its texts alone in a page of its own; whether it reaches the goal."""
    truth = sample.metadata["truth"]
    size = tuple(truth["size"])
    scale = truth["scale"]
    if "html" in truth:
        site = Site(truth["html"], folders={name: package_folder(name) for name in truth["fonts"]})
    else:
        site, _ = miniwob.task_site(truth["task"])
    with opened(site, size[0] // scale, size[1] // scale, scale=scale) as page:
        if "seed" in truth:
            miniwob.start(page, truth["seed"])
        for message in sample.messages:
            if message.role == "assistant":
                action = parse_action(message.text)
                assert action is not None
                perform(page, action, size, scale)
        return page.evaluate("goal()") if "html" in truth else (miniwob.reward(page) or 0) > 0


def test_episodes_reach_their_goal_again_and_only_whole():
    generator = load_generator("gui-trajectory")
    slips = 0
    for index, source in ((4, "made"), (1, "miniwob")):
        sample = make_sample("gui-trajectory", generator, generator.Config(source=source, noise=0.9), 2, index)
        assert replayed(sample)
        answers = [m for m in sample.messages if m.role == "assistant"]
        wrong = sample.metadata["truth"]["slips"]
        assert [n for n, m in enumerate(answers) if not m.loss] == wrong
        slips += len(wrong)
        sizes = {decode_image(io.BytesIO(image).getvalue()).size for image in sample.images}
        assert sizes == {tuple(sample.metadata["truth"]["size"])}
        assert len(sample.images) == len(answers)
        # Without its last real step the goal isn't reached.
        cut = type(sample)(sample.messages[:-4], sample.metadata)
        assert not replayed(cut)
    assert slips


def test_web_pages_hold_their_labels():
    """Targets are drawn where they are said to be: a screenshot's hash differs once the target is gone."""
    generator = load_generator("web-page")
    sample = make_sample("web-page", generator, generator.Config(source="made", language="zh"), 1, 4)
    picture = decode_image(sample.images[0])
    truth = sample.metadata["truth"]
    assert list(picture.size) == [side * truth["scale"] for side in truth["window"]]
    for element in truth["elements"]:
        box = element["box"]
        assert 0 <= box[0] < box[2] <= picture.width
        assert 0 <= box[1] < box[3] <= picture.height
        if element["type"] == "button" and element["visible"] == 1:
            patch = np.asarray(picture.crop(tuple(map(round, box))))
            assert patch.std() > 2, element
    assert sha256(sample.images[0]).hexdigest()
