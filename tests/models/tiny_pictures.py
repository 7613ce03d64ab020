"""The pictures that the tiny model can name: one shape of one colour, somewhere on a plain ground."""

import random

from PIL import Image, ImageDraw

SIDE = 64
COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (30, 60, 220),
    "yellow": (235, 210, 30),
    "purple": (140, 40, 170),
    "black": (15, 15, 15),
}
SHAPES = ("circle", "square", "triangle")
GROUNDS = ((255, 255, 255), (200, 200, 200), (225, 240, 250))


def draw(colour: str, shape: str, chance: random.Random) -> Image.Image:
    """A *shape* of about that *colour*, of a size and at a place that *chance* gives."""
    image = Image.new("RGB", (SIDE, SIDE), chance.choice(GROUNDS))
    pen = ImageDraw.Draw(image)
    r = chance.randint(12, 26)
    x, y = chance.randint(r + 2, SIDE - r - 2), chance.randint(r + 2, SIDE - r - 2)
    paint = tuple(max(0, min(255, part + chance.randint(-18, 18))) for part in COLOURS[colour])
    if shape == "triangle":
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=paint)
    else:
        (pen.ellipse if shape == "circle" else pen.rectangle)([x - r, y - r, x + r, y + r], fill=paint)
    return image
