"""Samples that are left out for what they are: broken, of a licence that isn't allowed, badly captioned, too small."""

from __future__ import annotations

from pydantic import Field

from vergence.config import Section
from vergence.conversation import Conversation
from vergence.data.curation.captions import CaptionRules, caption_problem
from vergence.data.curation.decisions import Decision, Decisions, all_of
from vergence.data.curation.licences import licence_problem
from vergence.data.curation.perceptual_hash import fingerprint
from vergence.data.curation.source import Folder, Show, caption_of, pictures_of, samples, silent
from vergence.errors import DataError
from vergence.processing.media import decode_image


class PictureRules(Section):
    """What a picture must be."""

    min_side: int = Field(28, ge=1, description="pixels of the shorter side")
    max_aspect: float = Field(5.0, ge=1, description="longer side / shorter side")
    flat: bool = Field(False, description="whether pictures of nearly one colour may be in")


class CleanRules(Section):
    """All rules of `vergence data clean`."""

    caption: CaptionRules = CaptionRules()
    picture: PictureRules = PictureRules()
    licences: tuple[str, ...] = Field(
        (), description="what is allowed, such as CC0-1.0 or CC-BY-?.0 (CC-BY-* has NC and ND in it); empty: any"
    )


def clean(folder: Folder, rules: CleanRules, show: Show = silent) -> Decisions:
    """Leave out what breaks a rule, or can't be read; the first reason counts."""
    rows = []
    for number, key, found in samples(folder, show):
        problem = "unreadable" if isinstance(found, DataError) else sample_problem(found, rules)
        rows.append(Decision(number, key, 1) if problem is None else Decision(number, key, 0, problem))
    return all_of(rows, name="clean", fingerprint=folder.fingerprint, settings=rules.model_dump(mode="json"))


def sample_problem(conversation: Conversation, rules: CleanRules) -> str | None:
    """The first rule that a sample breaks; None for one that is fine."""
    if rules.licences and (problem := licence_problem(conversation.metadata, rules.licences)):
        return problem
    if problem := caption_problem(caption_of(conversation), rules.caption):
        return f"caption: {problem}"
    for source in pictures_of(conversation):
        try:
            picture = decode_image(source)
        except DataError:
            return "picture: broken"
        short, long = sorted(picture.size)
        if short < rules.picture.min_side:
            return "picture: too small"
        if long > rules.picture.max_aspect * short:
            return "picture: too long"
        if not rules.picture.flat and fingerprint(picture).flat:
            return "picture: flat"
    return None
