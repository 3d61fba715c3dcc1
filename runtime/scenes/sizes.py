"""How large things are beside each other, and which of them hang in the sky.

The table gives the larger side of each thing in metres. On a page true proportions do not work: beside a house of
50 mm an ant would be smaller than a dot. So sizes on the page follow a power law, ``metres ** POWER``: sixteen times
as large in life is 2.7 times as large on paper. What is far away (the sun, a mountain) has the size that it has in
a picture beside a house, and a part of a body or a sign the size at which it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

from sketch_edge.runtime.manifest import fold_name

POWER = 0.36
"""Exponent of the size on the page over the size in life: a cat of half a metre is over a third of a house of eight."""

UNIT_M = 8.0
"""What has this size in life has the size 1 on the page: a house."""

NEUTRAL_M = 1.0
"""Things that nobody measured, and such as have no size of their own."""

SMALLEST_M, LARGEST_M = 1e-6, 1e9
"""Sizes in life that may be given."""

_TABLE = """
0.006: ant, mosquito
0.015: bee, bottlecap, paper clip, peas, spider
0.025: crayon, diamond, marker, matches, nail, pencil, toe
0.03: blackberry, blueberry, peanut, snail, strawberry, string bean, tooth
0.05: bandage, butterfly, cookie, eraser, feather, grapes, key, lighter, lipstick, mushroom, onion
0.06: bracelet, ear, eye, finger, leaf, moustache, mouth, necklace, nose, power outlet, scorpion, stitches
0.06: wristwatch
0.08: apple, baseball, bowtie, compass, donut, frog, goatee, hamburger, hockey puck, mouse, pear, potato
0.1: beard, cell phone, coffee cup, cup, elbow, ice cream, light bulb, lollipop, mug, passport, popsicle
0.1: sandwich
0.12: banana, bird, brain, cake, candle, carrot, eyeglasses, hot dog, hourglass, knee, postcard, steak
0.12: toothpaste
0.15: alarm clock, asparagus, binoculars, broccoli, calculator, envelope, hand, map, pizza, pliers, sock
0.15: toothbrush
0.18: birthday cake, camera, clock, crab, crown, flashlight, fork, hat, hedgehog, knife, purse
0.18: remote control, screwdriver
0.2: book, boomerang, drill, flip flops, foot, megaphone, microphone, paint can, paintbrush, pineapple
0.2: scissors, shoe
0.22: bat, skull, smiley face, snorkel, soccer ball, spoon, syringe, teapot, telephone, toaster, wine bottle
0.22: wine glass
0.25: basketball, bread, bucket, face, fish, headphones, helmet, lantern, octopus, parrot, radio, stethoscope
0.25: watermelon
0.3: basket, calendar, flower, frying pan, grass, hammer, house plant, lobster, picture frame, rollerskates
0.3: squirrel, vase, wheel
0.35: anvil, backpack, clarinet, duck, keyboard, laptop, owl, pillow, saw, spreadsheet, teddy-bear, trumpet
0.35: underwear
0.4: arm, camouflage, cooler, dumbbell, fan, jacket, microwave, rabbit, shorts, sleeping bag, stereo, sweater
0.4: t-shirt
0.5: axe, belt, cat, chandelier, computer, flamingo, leg, saxophone, sea turtle, sink, stop sign, suitcase
0.5: violin
0.6: baseball bat, cactus, campfire, fire hydrant, mailbox, pants, penguin, raccoon, rifle, snake
0.6: tennis racquet, toilet
0.7: ceiling fan, chair, dishwasher, drums, oven, skateboard, stove, sword, television, trombone, umbrella
0.7: washing machine
0.8: The Mona Lisa, broom, cello, dog, garden hose, golf club, guitar, harp, hockey stick, rake, shovel, swan
1.0: circle, hexagon, line, octagon, square, squiggle, star, triangle, zigzag
1.1: angel, dresser, fireplace, monkey, piano, pig, snowflake, table, traffic light, yoga
1.2: bathtub, bench, bicycle, bush, cannon, fence, floor lamp, lion, mermaid, panda, sheep, snowman, tiger
1.6: bear, bed, couch, cow, crocodile, dolphin, door, dragon, horse, hot tub, kangaroo, ladder, motorbike
1.6: stairs, zebra
2.0: camel, canoe, diving board, moon, parachute, rhinoceros, see saw, shark, swing set, tractor, waterslide
2.4: car, garden, lightning, pickup truck, police car, speedboat, streetlight, tent, van
3.0: ambulance, elephant, giraffe, helicopter, pond, pool, rain, sun
4.0: beach, bulldozer, cloud, firetruck, flying saucer, hot air balloon, jail, sailboat, submarine, truck
4.0: whale
5.0: animal migration, bus, hurricane, palm tree, school bus, tornado
6.0: airplane, barn, train, tree, windmill
8.0: house, river
10: bridge, church, hospital, ocean, rainbow, roller coaster
14: aircraft carrier, castle, cruise ship, lighthouse
20: The Eiffel Tower, The Great Wall of China, skyscraper
30: mountain
"""

_SKY = """
airplane, angel, animal migration, bat, bee, bird, butterfly, cloud, flying saucer, helicopter, hot air balloon,
lightning, moon, mosquito, parachute, parrot, rain, rainbow, snowflake, star, sun
"""


def _read_table(text: str) -> dict[str, float]:
    rows = (line.split(":") for line in text.strip().splitlines())
    return {fold_name(name): float(metres) for metres, names in rows for name in names.split(",")}


METRES: dict[str, float] = _read_table(_TABLE)
"""Larger side in metres of every thing that Quick, Draw! knows, by folded name (see `fold_name`)."""

SKY = frozenset(fold_name(name) for name in _SKY.split(","))
"""Folded names of what hangs above the ground; all else stands on it."""


def metres_of(name: str, own: Mapping[str, float] | None = None) -> float:
    """The larger side in metres of what is called `name`; `own` sizes, by folded name, go before the table.

    Unknown things have NEUTRAL_M. A class that a folder of bundles calls "mine/cat" has the size of a cat.
    """
    folded = fold_name(name)
    return (own or {}).get(folded, METRES.get(folded, METRES.get(_plain(folded), NEUTRAL_M)))


def page_size(metres: float) -> float:
    """The larger side on the page of what has this size in life; a house is 1."""
    return float((metres / UNIT_M) ** POWER)


def is_sky(name: str) -> bool:
    """Whether what is called `name` hangs in the sky."""
    return _plain(fold_name(name)) in SKY


def _plain(name: str) -> str:
    """A class name without that of its bundle."""
    return name.rpartition("/")[2]
