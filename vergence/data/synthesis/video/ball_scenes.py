"""Scenes of balls: on a table seen from above, and in a room seen from the side, drawn and told as clips."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw

from vergence.data.synthesis.palette import COLOURS as RGB_OF
from vergence.data.synthesis.palette import RGB, background, jitter
from vergence.data.synthesis.video.ball_events import contact_events, leaves, stripe_events
from vergence.data.synthesis.video.events import COLOURS, NOTHING, Box, Clip, Event, Fact, Text, colour_word, listed
from vergence.data.synthesis.video.physics import Ball, Block, Motion, Room, simulate
from vergence.errors import DataError

FPS = 10
WALL = 8
"""Thickness of the walls in pixels."""
SIZES = ((240, 180), (224, 168), (256, 192), (208, 160))
EARLIEST = 0.3
"""Seconds before the first event."""
APART = 0.2
"""Least seconds between two events of one ball."""
_SUB = 4  # places of a ball within a pixel, along each axis
_TRIES = 400
_BASKET_WALL = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """A room with balls, and what only the eye and the questions know of."""

    room: Room
    balls: tuple[Ball, ...]
    colours: tuple[str, ...]
    size: tuple[int, int]
    stripe: tuple[float, float] | None = None

    @property
    def names(self) -> list[Text]:
        """What the balls are called."""
        return [Text(f"the {COLOURS[c].en} ball", f"{COLOURS[c].zh}球") for c in self.colours]


def ball_clip(rng: random.Random, fewest: int = 3, most: int = 9) -> Clip:
    """A clip of `fewest` to `most` events that are `APART`. Raises `DataError` where no scene is found."""
    make = rng.choices((_table, _room, _basket_room), (5, 2, 3))[0]
    for _ in range(_TRIES):
        scene = make(rng)
        longest = rng.uniform(6, 10)
        try:
            motion = simulate(scene.room, scene.balls, longest)
        except DataError:
            continue
        events = _events(scene, motion, longest)
        if events is not None and fewest <= len(events) <= most and _apart(events) and _telling(rng, scene, events):
            # Where nothing more happens it ends a while after the last event.
            frames = round(min(longest, max(events[-1].end + 1.0, 4.0)) * FPS)
            return _clip(rng, scene, motion, events, frames)
    raise DataError("no scene of balls with events that can be told apart")


def _table(rng: random.Random) -> Scene:
    width, height = size = rng.choice(SIZES)
    number = rng.randint(2, 4)
    blocks, stripe = [], None
    extra = rng.random()
    if extra < 0.3:
        side = rng.uniform(20, 36)
        x, y = rng.uniform(0.35, 0.55) * width, rng.uniform(0.35, 0.5) * height
        blocks.append(Block("block", round(x), round(y), round(x + side), round(y + side)))
    elif extra < 0.65:
        x = rng.uniform(0.4, 0.55) * width
        stripe = (round(x), round(x + rng.uniform(16, 30)))
    room = Room(WALL, WALL, width - WALL, height - WALL, tuple(blocks))
    moving = rng.randint(1, max(1, number - 1))
    speeds = [rng.uniform(35, 90) if i < moving else 0.0 for i in range(number)]
    kept_free = (Block("stripe", stripe[0], 0, stripe[1], height),) if stripe else ()
    balls = _placed(rng, room, speeds, room.bottom, kept_free)
    return Scene(room, balls, _colours(rng, number), size, stripe=stripe)


def _room(rng: random.Random) -> Scene:
    return _room_of(rng, rng.choices((1, 2, 3), (3, 4, 2))[0], basket=False)


def _basket_room(rng: random.Random) -> Scene:
    return _room_of(rng, rng.choices((1, 2, 3), (1, 4, 4))[0], basket=True)


def _room_of(rng: random.Random, number: int, *, basket: bool) -> Scene:
    width, height = size = rng.choice(SIZES)
    blocks: list[Block] = []
    mouth = None
    if basket:
        wide, tall = rng.uniform(46, 60), rng.uniform(34, 46)
        left = round(rng.uniform(WALL + 40, width - WALL - 40 - wide))
        right, top = round(left + wide), round(height - WALL - tall)
        blocks = [
            Block("basket", left, top, left + _BASKET_WALL, height - WALL),
            Block("basket", right - _BASKET_WALL, top, right, height - WALL),
        ]
        mouth = (float(left), float(right), float(top))
    room = Room(
        WALL, WALL, width - WALL, height - WALL, tuple(blocks),
        mouth=mouth,
        gravity=rng.uniform(120, 200), restitution=rng.uniform(0.6, 0.8), rolling=rng.uniform(12, 30),
    )  # fmt: skip
    balls = _placed(rng, room, [rng.uniform(10, 75) for _ in range(number)], room.bottom * 0.55)
    if mouth is not None:
        balls = (_aimed(rng, room, balls[0], mouth), *balls[1:])
    return Scene(room, balls, _colours(rng, number), size)


def _aimed(rng: random.Random, room: Room, ball: Ball, mouth: tuple[float, float, float]) -> Ball:
    """The ball with the sideways speed that brings it into the basket, unless something is in its way."""
    left, right, top = mouth
    goal = rng.uniform(left + ball.radius, right - ball.radius)
    return ball._replace(vx=(goal - ball.x) / (2 * (top - ball.y) / room.gravity) ** 0.5)


def _colours(rng: random.Random, number: int) -> tuple[str, ...]:
    return tuple(rng.sample(list(COLOURS), number))


def _placed(
    rng: random.Random, room: Room, speeds: Sequence[float], lowest: float, kept_free: Sequence[Block] = ()
) -> tuple[Ball, ...]:
    """Balls with these speeds at places where they touch nothing; in a room they begin to move to a side."""
    balls: list[Ball] = []
    while len(balls) < len(speeds):
        r = float(rng.randint(9, 14))
        x, y = rng.uniform(room.left + r + 2, room.right - r - 2), rng.uniform(room.top + r + 2, lowest - r - 2)
        dx, dy = rng.uniform(-1, 1), 0.0 if room.gravity else rng.uniform(-1, 1)
        length = (dx * dx + dy * dy) ** 0.5 or 1.0
        speed = speeds[len(balls)]
        ball = Ball(r, x, y, speed * dx / length, speed * dy / length)
        free = all((b.x - x) ** 2 + (b.y - y) ** 2 > (b.radius + r + 6) ** 2 for b in balls)
        blocked = any(
            b.left - r - 4 < x < b.right + r + 4 and b.top - r - 4 < y < b.bottom + r + 4
            for b in (*room.blocks, *kept_free)
        )
        if free and not blocked:
            balls.append(ball)
    return tuple(balls)


def _events(scene: Scene, motion: Motion, duration: float) -> list[Event] | None:
    """The events in order; None for a scene that is hard to tell, as where a ball falls onto one in the basket."""
    events = contact_events(scene.room, motion, scene.names)
    if sum(event.kind == "fall in" for event in events) > 1:
        return None
    for number, name in enumerate(scene.names):
        if scene.stripe is not None:
            over = stripe_events(motion, number, name, _stripe_name(), scene.stripe, duration)
            if over is None:
                return None
            events += over
        if scene.room.mouth is not None and leaves(motion, number, scene.room.mouth, duration):
            return None
    return sorted(events, key=lambda event: event.end)


def _stripe_name() -> Text:
    return Text("the blue stripe", "蓝色条纹")


def _apart(events: Sequence[Event]) -> bool:
    """Whether events can be told apart: of one ball by `APART`, of others by a frame."""
    if not events or events[0].start < EARLIEST:
        return False
    for number, event in enumerate(events):
        for later in events[number + 1 :]:
            shared = {event.subject, event.object} & {later.subject, later.object} - {NOTHING}
            if later.end - event.end < (APART if shared else 1 / FPS):
                return False
    return True


def _telling(rng: random.Random, scene: Scene, events: Sequence[Event]) -> bool:
    """Most scenes without their kind's own event are left out, or nearly all clips would be of bounces."""
    if scene.room.mouth is not None:
        return rng.random() < 0.05 or any(event.kind == "fall in" for event in events)
    if not scene.room.gravity:
        return rng.random() < 0.1 or any(event.kind in ("collide", "over") for event in events)
    return True


def _clip(rng: random.Random, scene: Scene, motion: Motion, events: Sequence[Event], frames: int) -> Clip:
    picture = _backdrop(rng, scene)
    inks = [jitter(rng, RGB_OF[colour], 6) for colour in scene.colours]
    tracks: dict[str, list[Box | None]] = {name.en: [] for name in scene.names}
    drawn = []
    for frame in range(frames):
        image = picture.copy()
        for number, name in enumerate(scene.names):
            ball = motion.at(number, frame / FPS)
            _paste_ball(image, ball, inks[number])
            r = ball.radius
            tracks[name.en].append((ball.x - r, ball.y - r, ball.x + r, ball.y + r))
        drawn.append(image)
    shown = tuple(event for event in events if event.end < frames / FPS)
    return Clip(
        frames=tuple(drawn),
        fps=FPS,
        scene=_scene_text(scene),
        events=shown,
        activities=(),
        facts=tuple(_facts(scene, shown, frames / FPS)),
        names=tuple(scene.names),
        tracks=tracks,
        world=_world(scene, inks),
        domain="physics",
        difficulty=min(1.0, 0.06 * len(shown) + 0.1 * len(scene.balls)),
    )


def _world(scene: Scene, inks: Sequence[RGB]) -> dict[str, object]:
    room = scene.room
    return {
        "walls": [room.left, room.top, room.right, room.bottom],
        "blocks": [list(block) for block in room.blocks],
        "gravity": room.gravity,
        "restitution": room.restitution,
        "rolling": room.rolling,
        "mouth": scene.room.mouth and list(scene.room.mouth),
        "stripe": scene.stripe and list(scene.stripe),
        "balls": [
            {"name": name.en, "radius": ball.radius, "x": ball.x, "y": ball.y, "vx": ball.vx, "vy": ball.vy, "rgb": ink}
            for name, ball, ink in zip(scene.names, scene.balls, map(list, inks), strict=True)
        ],
    }


def _scene_text(scene: Scene) -> Text:
    balls = listed([Text(f"a {COLOURS[c].en}" if c != "orange" else "an orange", COLOURS[c].zh) for c in scene.colours])
    many = len(scene.colours) > 1
    english = f"{balls.en[0].upper()}{balls.en[1:]} ball" + (
        f" are {'in a room seen from the side' if scene.room.gravity else 'on a table seen from above'}."
        if many
        else f" is {'in a room seen from the side' if scene.room.gravity else 'on a table seen from above'}."
    )
    names = listed(scene.names).zh
    chinese = f"从侧面看，房间里有{names}。" if scene.room.gravity else f"从上往下看，桌面上有{names}。"
    for there, text in (
        (scene.room.mouth, Text(" A basket stands on the floor.", "地面上有一个篮子。")),
        (scene.stripe, Text(" A blue stripe runs across the table.", "桌面上有一条蓝色条纹。")),
        (scene.room.blocks and not scene.room.mouth, Text(" A grey block lies on it.", "桌面上有一个灰色方块。")),
    ):
        if there:
            english, chinese = english + text.en, chinese + text.zh
    return Text(english, chinese)


def _facts(scene: Scene, events: Sequence[Event], duration: float) -> list[Fact]:
    colours = dict(zip((name.en for name in scene.names), scene.colours, strict=True))
    facts = [
        Fact(Text("How many balls are there?", "画面里有几个球？"), Text(*[str(len(colours))] * 2), 0.0),
    ]
    if len(colours) > 1:
        collisions = str(sum(event.kind == "collide" for event in events))
        question = Text("How many times do two balls collide?", "球与球一共相撞了几次？")
        facts.append(Fact(question, Text(collisions, collisions), duration))
    firsts = {
        "fall in": Text("What colour is the first ball that falls into the basket?", "最先掉进篮子的球是什么颜色？"),
        "rest": Text("What colour is the first ball that comes to rest?", "最先停下来的球是什么颜色？"),
        "bounce": Text("What colour is the first ball that bounces off something?", "最先碰到东西弹开的球是什么颜色？"),
        "over": Text("What colour is the first ball to leave the blue stripe?", "最先离开蓝色条纹的球是什么颜色？"),
    }  # fmt: skip
    for kind, question in firsts.items():
        first = next((event for event in events if event.kind == kind), None)
        if first is not None and len(colours) > 1:
            facts.append(Fact(question, colour_word(colours[first.subject.en]), first.end))
    still = {name.en for name, ball in zip(scene.names, scene.balls, strict=True) if not (ball.vx or ball.vy)}
    for event in events if not scene.room.gravity else ():
        pair = (event.subject, event.object)
        for struck, striker in (pair, pair[::-1]):
            if event.kind == "collide" and struck.en in still:
                facts.append(_why(struck, striker, scene.names, event.end))
        still -= {name.en for name in pair if event.kind == "collide"}
    return facts


def _why(struck: Text, striker: Text, names: Sequence[Text], known: float) -> Fact:
    def because(name: Text) -> Text:
        return Text(f"{name.en[0].upper()}{name.en[1:]} hits it.", f"{name.zh}撞到了它。")

    others = [because(name) for name in names if name not in (struck, striker)]
    others += [
        Text("It rolls down a slope.", "它从斜坡上滚了下来。"),
        Text("It bounces off a wall.", "它碰到墙弹开了。"),
        Text("It is pulled by a string.", "有一根绳子拉动了它。"),
    ]
    question = Text(f"Why does {struck.en} start to move?", f"{struck.zh}为什么开始运动？")
    return Fact(question, because(striker), known, tuple(others[:3]))


def _backdrop(rng: random.Random, scene: Scene) -> Image.Image:
    width, height = scene.size
    paper = background(rng)
    shade = rng.randint(70, 120)
    frame = jitter(rng, (shade, shade - 15, shade - 30), 12)
    image = Image.new("RGB", scene.size, frame)
    pen = ImageDraw.Draw(image)
    pen.rectangle((WALL, WALL, width - WALL - 1, height - WALL - 1), fill=paper)
    if scene.stripe is not None:
        left, right = scene.stripe
        pen.rectangle((left, WALL, right - 1, height - WALL - 1), fill=(150, 200, 240))
    for block in scene.room.blocks:
        ink = (150, 105, 60) if block.name == "basket" else (130, 130, 135)
        pen.rectangle((block.left, block.top, block.right - 1, block.bottom - 1), fill=ink)
    if scene.room.mouth is not None:
        left, right, top = scene.room.mouth
        inner = (int(left) + _BASKET_WALL, int(top) + 5, int(right) - _BASKET_WALL - 1, height - WALL - 1)
        pen.rectangle(inner, fill=(226, 200, 165))
        for number, y in enumerate(range(inner[1] + 2, inner[3], 5)):
            for x in range(inner[0] + 1 + 4 * (number % 2), inner[2] - 3, 8):
                pen.line((x, y, x + 4, y), fill=(196, 160, 115))
    return image


@cache
def _disc(radius: int, sub_x: int, sub_y: int) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Masks of a ball, of its face inside the darker rim, and of its light spot; its centre lies at radius + 2 and
    `_SUB`ths of a pixel beyond."""
    scale = 8
    side = (2 * radius + 4) * scale
    masks = []
    cx, cy = ((radius + 2 + sub / _SUB) * scale for sub in (sub_x, sub_y))
    for r, shift in ((radius, 0.0), (radius - 1.6, 0.0), (radius * 0.22, -radius * 0.38)):
        mask = Image.new("L", (side, side), 0)
        x, y, reach = cx + shift * scale, cy + shift * scale, r * scale
        ImageDraw.Draw(mask).ellipse((x - reach, y - reach, x + reach - 1, y + reach - 1), fill=255)
        masks.append(mask.resize((side // scale, side // scale), Image.Resampling.BOX))
    return masks[0], masks[1], masks[2]


def _paste_ball(image: Image.Image, ball: Ball, ink: RGB) -> None:
    quarters_x, quarters_y = round(ball.x * _SUB), round(ball.y * _SUB)
    x, y = quarters_x // _SUB, quarters_y // _SUB
    radius = round(ball.radius)
    disc, face, spot = _disc(radius, quarters_x % _SUB, quarters_y % _SUB)
    corner = (x - radius - 2, y - radius - 2)
    rim = (int(ink[0] * 0.55), int(ink[1] * 0.55), int(ink[2] * 0.55))
    for colour, mask in ((rim, disc), (ink, face), ((255, 255, 255), spot)):
        image.paste(colour, corner, mask)
