"""Is anything of a training mixture in a task: equal files, pictures that look alike, runs of the same words.

    report = find_contamination(training_conversations(recipe, 100_000), task.samples())
    print(contamination_text(report))

The task is indexed, the training data passes by once and is never kept, so its size costs time only. A finding is a
hint, not a verdict: a picture of one template (a form, a chart without data) looks like the next, and a question that
many ask is in every training set. Texts that more than `COMMON` training items have are such, and are left out, as
GPT-3's study does (Brown et al. 2020, arXiv 2005.14165, appendix C); and a question of fewer than 13 words about a
picture ("Which digit is this?") counts only beside its picture.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vergence.conversation import Conversation
from vergence.data.curation.ngrams import SHORTEST, N, NGramIndex, words
from vergence.evaluation.picture_matches import RADIUS, SIMILARITY, Finding, Kind, PictureMatches
from vergence.evaluation.task import Sample

COMMON = 10
KEPT = 5
_MEDIA: tuple[Kind, ...] = ("file", "picture")

LEAST_WHOLE = 4
"""Words that a short question with its answer must have; fewer are anybody's words."""


@dataclass(frozen=True, slots=True)
class Contamination:
    """The findings, best first for each sample (at most `KEPT` of a kind), and what was looked at.

    `hits` counts all training items by sample and kind. `flat` pictures hold nothing to compare, `unreadable` media
    can't be decoded, `videos` are files of which only equal bytes are found; `without_text` samples have too few words.
    `common` n-grams were left out, and so were `generic` matches, of a short question about a picture where the item
    doesn't show the picture. `unusable` training items couldn't be read.
    """

    samples: int
    items: int
    findings: tuple[Finding, ...]
    hits: dict[str, dict[Kind, int]]
    sample_pictures: int = 0
    item_pictures: int = 0
    flat: int = 0
    unreadable: int = 0
    videos: int = 0
    without_text: int = 0
    common: int = 0
    generic: int = 0
    unusable: int = 0

    def contaminated(self, *kinds: Kind) -> frozenset[str]:
        """The ids of the samples with a finding of one of these kinds (of any, where none is named)."""
        return frozenset(sample for sample, found in self.hits.items() if not kinds or any(k in found for k in kinds))

    def in_one_item(self) -> frozenset[str]:
        """The samples whose picture and text are both in the same training item: nearly certainly the sample itself.

        Judged by the findings that were kept.
        """
        seen: dict[tuple[str, str], set[str]] = defaultdict(set)
        for finding in self.findings:
            seen[finding.sample, finding.item].add("text" if finding.kind == "text" else "media")
        return frozenset(sample for (sample, _), kinds in seen.items() if len(kinds) == 2)


def find_contamination(
    training: Iterable[tuple[str, Conversation | None]],
    samples: Iterable[Sample],
    *,
    radius: int = RADIUS,
    least_similarity: float = SIMILARITY,
    common: int = COMMON,
    kept: int = KEPT,
) -> Contamination:
    """Look for the samples of a task in training items, given as (name, conversation); None stands for an unusable one.

    Items of one name count once.
    """
    indexed = list(samples)
    media, texts = PictureMatches(indexed, radius, least_similarity), _TextSide(indexed, common)
    found: dict[tuple[str, Kind], dict[str, Finding]] = defaultdict(dict)
    counts: Counter[str] = Counter()
    for name, conversation in training:
        counts["items"] += 1
        if conversation is None:
            counts["unusable"] += 1
            continue
        for finding in media.findings(name, conversation.media):
            before = found[finding.sample, finding.kind].get(name)
            if before is None or finding.overlap > before.overlap:
                found[finding.sample, finding.kind][name] = finding
        texts.note(name, conversation)
    for finding in texts.findings():
        shown = any(finding.item in found.get((finding.sample, kind), ()) for kind in _MEDIA)
        if shown or finding.sample not in texts.needs_picture:
            found[finding.sample, "text"][finding.item] = finding
        else:
            counts["generic"] += 1
    order = {sample.id: place for place, sample in enumerate(indexed)}
    findings: list[Finding] = []
    hits: dict[str, dict[Kind, int]] = {}
    for key in sorted(found, key=lambda key: (order[key[0]], key[1])):
        findings += sorted(found[key].values(), key=lambda f: (-f.overlap, f.distance or 0, f.item))[:kept]
        hits.setdefault(key[0], {})[key[1]] = len(found[key])
    return Contamination(
        samples=len(indexed),
        items=counts["items"],
        findings=tuple(findings),
        hits=hits,
        sample_pictures=len(media.owners),
        item_pictures=media.counts["looked at"],
        flat=media.counts["flat"],
        unreadable=media.counts["unreadable"],
        videos=media.counts["videos"],
        without_text=texts.without,
        common=texts.left_out,
        generic=counts["generic"],
        unusable=counts["unusable"],
    )


class _TextSide:
    """The questions of the samples, and which training items their n-grams were met in."""

    def __init__(self, samples: Sequence[Sample], common: int) -> None:
        self.common = common
        self.samples = [sample.id for sample in samples]
        owners: list[int] = []
        texts: list[list[str]] = []
        whole: set[int] = set()
        self.without = 0
        # The ids of samples whose texts say little without their pictures.
        self.needs_picture: set[str] = set()
        for number, sample in enumerate(samples):
            looked_for = list(_texts(sample))
            if sample.media and all(len(text) < N for text, _ in looked_for):
                self.needs_picture.add(sample.id)
            for text, is_whole in looked_for:
                if is_whole:
                    whole.add(len(texts))
                owners.append(number)
                texts.append(text)
            self.without += not owners or owners[-1] != number
        self.owners = owners
        self.index = NGramIndex(texts, whole=frozenset(whole))
        # Of each n-gram at most one item more than is common: what is beyond is left out anyway.
        self.items: dict[int, set[str]] = defaultdict(set)

    def note(self, item: str, conversation: Conversation) -> None:
        """Remember which n-grams one training item has; its messages follow one another as one text."""
        text = [word for message in conversation.messages for word in words(message.text)]
        for number in self.index.found(text):
            if len(self.items[number]) <= self.common:
                self.items[number].add(item)

    @property
    def left_out(self) -> int:
        """How many n-grams too many training items have."""
        return sum(len(items) > self.common for items in self.items.values())

    def findings(self) -> Iterator[Finding]:
        """For each sample and item the share of the sample's n-grams (of its question and long choices) in the item."""
        shared: Counter[tuple[int, str]] = Counter()
        sizes: Counter[int] = Counter()
        for position, size in enumerate(self.index.sizes):
            sizes[self.owners[position]] += size
        for number, items in self.items.items():
            if len(items) <= self.common:
                for position in self.index.owners[number]:
                    shared.update((self.owners[position], item) for item in items)
        for (sample, item), count in shared.items():
            yield Finding(self.samples[sample], "text", item, count / sizes[sample])


def _texts(sample: Sample) -> Iterator[tuple[list[str], bool]]:
    """What of a sample is looked for: a question of 8 words or more and choices as long by n-grams (False).

    A shorter question is looked for as a whole, with its answer behind it (True), because by itself it is anybody's.
    """
    question = words(sample.question)
    if len(question) >= SHORTEST:
        yield question, False
    else:
        answer = sample.reference
        if sample.choices and isinstance(answer, int) and 0 <= answer < len(sample.choices):
            answer = sample.choices[answer]
        whole = question + (words(answer) if isinstance(answer, str) else [])
        if question and isinstance(answer, str) and len(whole) >= LEAST_WHOLE:
            yield whole, True
    for choice in sample.choices:
        if len(text := words(choice)) >= SHORTEST:
            yield text, False


def contamination_text(report: Contamination, most: int = 20) -> str:
    """The report in plain lines: counts, then the first findings."""
    kinds: tuple[Kind, ...] = ("file", "picture", "text")
    shares = ", ".join(f"{len(report.contaminated(kind))} by {kind}" for kind in kinds)
    lines = [
        f"{len(report.contaminated())} of {report.samples} samples are in {report.items} training items ({shares}); "
        f"{len(report.in_one_item())} with picture and text in one item",
        f"looked at: {report.sample_pictures} pictures of the task, {report.item_pictures} media of the training data; "
        f"{report.flat} flat, {report.unreadable} unreadable, {report.videos} videos by their bytes only",
        f"texts: {report.without_text} samples have too few words; {report.common} n-grams are common and left out, "
        f"and {report.generic} matches of short questions without their picture",
    ]
    if report.unusable:
        lines.append(f"{report.unusable} training items could not be used")
    for finding in report.findings[:most]:
        distance = "" if finding.distance is None else f", {finding.distance} bits"
        lines.append(f"  {finding.sample}: {finding.kind} {finding.overlap:.2f}{distance} in {finding.item}")
    if len(report.findings) > most:
        lines.append(f"  ... and {len(report.findings) - most} more")
    return "\n".join(lines)
