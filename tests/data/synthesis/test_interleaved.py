"""Interleaved documents and text: order and words against ElementTree, splits, and what the forms promise."""

from __future__ import annotations

import io
import re
from html import unescape
from xml.etree import ElementTree

import pytest

from vergence.conversation import ImagePart, TextPart
from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.sources.manuals import MANUALS, Block, _raw, page_names, pages_of, read_blocks, read_page
from vergence.data.synthesis.interleaved import _ended, in_a_row
from vergence.data.synthesis.text_only import SCRIPTS, translated
from vergence.processing.media import decode_image

needs_pages = pytest.mark.skipif(bool(why_unavailable("interleaved")), reason=why_unavailable("interleaved") or "")
needs_book = pytest.mark.skipif(bool(why_unavailable("text-document")), reason=why_unavailable("text-document") or "")


def sample(kind, index, **settings):
    generator = load_generator(kind)
    return make_sample(kind, generator, generator.Config(**settings), 4, index)


def squeezed(text):
    return re.sub(r"\W+", "", text)


def body_of(path):
    """The letters of a page in document order and where among them its pictures stand, by an XML parser."""
    source = re.sub(
        r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x\w+);)(\w+);", lambda m: unescape(m[0]), path.read_text("utf-8")
    )
    root = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", source))
    letters, pictures = [], []

    def walk(node):
        tag = node.tag.rpartition("}")[2]
        if tag == "head" or set(node.get("class", "").split()) & {"navheader", "navfooter", "toc", "docnav"}:
            return
        if tag == "img":
            pictures.append((node.get("src").rpartition("/")[2], sum(map(len, letters))))
        letters.append(squeezed(node.text or ""))
        for child in node:
            walk(child)
            letters.append(squeezed(child.tail or ""))

    walk(root)
    return "".join(letters), pictures


@needs_pages
@pytest.mark.parametrize("manual", ["gimp-help", "debian-handbook"])
def test_blocks_stand_in_the_order_of_the_document(manual):
    """Each block's words, and each picture, are met in an XML walk of the page in the same order."""
    checked = 0
    for name in page_names(manual)[::37]:
        page = read_page(manual, name, "en")
        letters, pictures = body_of(page.path)
        position = 0
        for block in page.blocks:
            if block.file is None:
                at = letters.find(squeezed(block.text), position)
                assert at >= 0, (name, block)
                position = at + len(squeezed(block.text))
            else:
                at = next((place for file, place in pictures if file == block.file.name and place >= position), -1)
                assert at >= 0, (name, block)
                position = at
            checked += 1
    assert checked > 60


def test_a_page_loses_its_frame_and_keeps_its_captions(tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "icon.png")
    text = """<html><head><title>no</title></head><body><div class="navheader">Prev Next</div>
    <h2>Title &amp; more</h2><p>One <b>bold</b><br/>line.</p>
    <div class="figure"><p class="title">Figure 1.2. The caption</p><img src="a.png" alt="other"/></div>
    <div class="figure"><p class="title">Two</p><div class="mediaobject"><img src="a.png"/><div class="caption">
    <p>Before</p></div></div><div class="mediaobject"><img src="a.png" alt="b"/><div class="caption"><p>After</p></div>
    </div></div><p>In <img src="icon.png"/> line.</p><ul><li>First<ul><li>Inner</li></ul></li></ul><pre>  a
    b</pre><script>no()</script><img src="a.png" alt="Alone"/><img src="missing.png"/>
    <div class="navfooter">Report a bug</div></body></html>"""
    blocks = read_blocks(text, tmp_path)
    assert [(b.sort, b.text) for b in blocks] == [
        ("heading", "Title & more"),
        ("paragraph", "One bold line."),
        ("image", "The caption"),
        ("image", "Before"),
        ("image", "After"),
        ("paragraph", "In line."),
        ("item", "First"),
        ("item", "Inner"),
        ("code", "  a\n    b"),
        ("image", "Alone"),
    ]


@needs_pages
def test_a_document_keeps_the_reading_order():
    """Texts and pictures of the dialogue, end to end, are the blocks of the truth in their order."""
    for index in range(12):
        found = sample("interleaved", index, form="document")
        parts = [part for message in found.messages for part in message.parts]
        pictures = [part.image for part in parts if isinstance(part, ImagePart)]
        blocks = found.metadata["truth"]["blocks"]
        assert len(pictures) == sum(block["sort"] == "image" for block in blocks)
        text = squeezed("".join(part.text for part in parts if isinstance(part, TextPart)))
        position = 0
        for block in blocks:
            if block["sort"] == "image" or block["text"] in found.messages[0].text:
                continue
            at = text.find(squeezed(block["text"]), position)
            assert at >= 0, block
            position = at
        # Each picture stands behind the text that stood before it on the page, and before the text that followed.
        seen = []
        for part in parts:
            seen.append("#" if isinstance(part, ImagePart) else squeezed(part.text))
        stream, position = "".join(seen), 0
        for block in blocks:
            wanted = "#" if block["sort"] == "image" else squeezed(block["text"])
            if block["sort"] == "image" or block["text"] not in found.messages[0].text:
                position = stream.find(wanted, position)
                assert position >= 0
                position += len(wanted)
        for message in found.messages:
            assert message.role == "user" or all(isinstance(part, TextPart) for part in message.parts)
        for picture in pictures:
            assert min(decode_image(io.BytesIO(picture).getvalue()).size) >= 48


@needs_pages
def test_a_caption_asked_for_is_not_in_the_question():
    for index in range(10):
        for form in ("choose-caption", "choose-picture", "order"):
            found = sample("interleaved", index, form=form)
            question, answer = found.messages[0].text, found.messages[1].text
            check = found.metadata["checks"][0]
            if form == "choose-caption":
                right = check["choices"][check["target"]]
                assert all(question.casefold().count(choice.casefold()) == 1 for choice in check["choices"])
                assert right in check["choices"]
                page = found.metadata["truth"]
                assert any(block["text"] == right for block in page["blocks"] if block["sort"] == "image")
            elif form == "order":
                listed = dict(re.findall(r"^([A-E])\. (.*)$", question, re.MULTILINE))
                texts = [block["text"] for block in found.metadata["truth"]["blocks"]]
                places = [texts.index(listed[letter]) for letter in answer.split(", ")]
                # Nothing but pictures stands between the paragraphs.
                between = found.metadata["truth"]["blocks"][places[0] : places[-1] + 1]
                assert sum(block["sort"] != "image" for block in between) == len(listed)
                assert places == sorted(places)
                assert len(set(places)) == len(listed)
            else:
                assert question.count("[PICTURE]") == 2
                assert len({bytes(image) for image in found.images}) == len(check["choices"])


@needs_pages
def test_a_document_ends_with_words_and_says_a_caption_once():
    for index in range(30):
        found = sample("interleaved", index, form="document", blocks=8)
        last = found.metadata["truth"]["blocks"][-1]
        assert last["sort"] != "image" or last["text"]
        answers = [message.text for message in found.messages if message.role == "assistant"]
        assert all(answers)
        for text in answers:
            captions = re.findall(r"^\*(.+)\*$", text, re.MULTILINE)
            assert len(captions) == len(set(captions))
            assert not captions or captions[-1] != text.strip().splitlines()[-1]


def test_a_cut_leaves_no_name_without_its_text(tmp_path):
    bare, told = Block("image", "", tmp_path / "a.png"), Block("image", "A rose", tmp_path / "b.png")
    text, name, heading = Block("item", "It does."), Block("item", "Length"), Block("heading", "Options")
    assert _ended([text, heading, name, bare], cut=False) == [text]
    assert _ended([text, heading, name], cut=True) == [text]
    assert _ended([text, name], cut=False) == [text, name]
    assert _ended([text, told], cut=True) == [text, told]


def test_remarks_beside_the_text_are_no_part_of_a_stretch(tmp_path):
    def long(name):
        return f"<p>{name} {'word ' * 15}end.</p>"

    text = f"""<body><h2>T</h2>{long("A")}{long("B")}<div class="sidebar"><p class="title">NOTE</p>{long("C")}
    </div>{long("D")}{long("E")}<pre>x</pre>{long("F")}<p>{"word " * 15}as follows:</p></body>"""
    stretches = in_a_row(read_blocks(text, tmp_path))
    assert [[paragraph[0] for paragraph in stretch] for stretch in stretches] == [["A", "B"], ["C"], ["D", "E"], ["F"]]


def test_entities_are_characters_and_names(tmp_path):
    page = tmp_path / "page.docbook"
    page.write_text("<article><para>Keys 0&ndash;9 of &kstars; &amp; more.</para></article>", "utf-8")
    assert [block.text for block in _raw(page)] == ["Keys 0–9 of kstars & more."]


@needs_pages
def test_splits_share_no_page_and_no_picture():
    for manual in MANUALS:
        sides = [pages_of(manual, split) for split in ("train", "heldout")]
        assert not set(sides[0]) & set(sides[1])
        shown = [
            {block.file.name for name in side[::9] for block in read_page(manual, name, "en").images} for side in sides
        ]
        assert not shown[0] & shown[1]


@needs_book
def test_pairs_of_paragraphs_are_translations():
    """Numbers and commands are the same in both languages of a pair, for nearly all of them."""
    pairs = [
        pair
        for name in pages_of("debian-handbook", "train")[::12]
        for pair in translated(read_page("debian-handbook", name, "fr"))
    ]
    alike = 0
    for english, french in pairs:
        names = set(re.findall(r"\b[a-z]+-[a-z-]+\b|/etc/\S+", english)) - {"built-in"}
        alike += not names or any(name in french for name in names)
    assert len(pairs) > 20
    assert alike >= 0.75 * len(pairs)


@needs_book
@pytest.mark.parametrize("language", ["de", "ja", "ru", "zh"])
def test_no_paragraph_is_left_in_english(language):
    """By counts of another kind: the article "the", or Latin letters."""
    for index in range(12):
        for form in ("document", "continue", "order"):
            found = sample("text-document", index, language=language, form=form)
            asked, answer = found.messages[0].text, found.messages[1].text
            text = re.sub(r"```.*?```", "", answer, flags=re.DOTALL) if form == "document" else asked
            for paragraph in text.split("\n"):
                if len(paragraph) < 200 or paragraph.startswith(("#", "→")):
                    continue
                if language == "de":
                    assert len(re.findall(r"\b[Tt]he\b", paragraph)) < 4, paragraph
                else:
                    assert len(re.findall("[A-Za-z]", paragraph)) < 0.8 * len(paragraph), paragraph


@needs_book
def test_a_language_is_asked_for_among_those_of_its_script():
    names = {"Russian", "Japanese", "Chinese", "Arabic"}
    for index in range(20):
        found = sample("text-document", index, form="language")
        choices = set(found.metadata["checks"][0]["choices"])
        assert choices == names if found.metadata["tags"]["language"] in SCRIPTS else not choices & names
        assert re.search(r"[\W]$", found.messages[0].text.split("\n\nWhich")[0])


@needs_book
def test_text_samples_hold_no_picture_and_their_language():
    for index in range(20):
        found = sample("text-document", index, language="de", form="order" if index % 2 else "mix")
        assert not found.media
    assert re.search("[а-я]", sample("text-document", 0, language="ru", form="document").messages[1].text)
    assert re.search("[一-龥]", sample("text-document", 0, language="zh", form="document").messages[1].text)
