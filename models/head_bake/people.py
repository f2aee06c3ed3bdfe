"""Who the heads are: the same shapes, mixed to two people."""

from dataclasses import dataclass, field

Colour = tuple[float, float, float]
"""Linear light, 0 to 1."""


@dataclass(frozen=True)
class Neckline:
    """A round neck: its heights in front, at the sides and at the back."""

    middle_z: float
    front_y: float
    side_y: float
    back_y: float
    thickness: float = 1.0
    """Of the collar, against that of a crew neck."""


@dataclass(frozen=True)
class Brow:
    """An eyebrow, from near the nose to the temple."""

    x: tuple[float, float, float]
    y: tuple[float, float, float, float]
    thickness: float
    length: float
    """Of its hairs."""
    hairs: int
    width: float
    """Of a hair, in quarters of a pixel of the skin's picture."""


@dataclass(frozen=True)
class Person:
    name: str
    recipe: dict[str, float]
    """Weights of the targets of mpfb2."""
    skin: Colour
    lips: Colour
    iris: Colour
    iris_inner: Colour
    hair: Colour
    hair_tip: Colour
    cloth: Colour
    neckline: Neckline
    brow: Brow
    hairline: str
    seed: int
    freckles: float = 0.0
    beard: float = 0.0
    flush: float = 1.0
    """How red cheeks and nose are."""
    grain: float = 1.0
    """How coarse the skin is."""
    lash_length: float = 0.95
    """Of that of the strips of the base mesh."""
    lid_shade: float = 0.5
    lid_line: float = 0.5
    """How dark the lid and its rim are."""
    long_hair: bool = False
    rest: dict[str, float] = field(default_factory=dict)
    """Blendshapes that belong to the person: the hint of a smile at rest."""


def both_sides(target: str, weight: float) -> dict[str, float]:
    folder, name = target.split("/")
    return {f"{folder}/{side}-{name}": weight for side in "lr"}


MIRA = Person(
    name="mira",
    recipe={
        "macrodetails/caucasian-female-young": 0.55,
        "macrodetails/asian-female-young": 0.25,
        "macrodetails/african-female-young": 0.20,
        "macrodetails/universal-female-young-averagemuscle-averageweight": 1.0,
        "mouth/mouth-angles-up": 0.45,
        **both_sides("eyes/eye-height2-incr", 0.25),
        "head/head-oval": 0.3,
    },
    skin=(0.54, 0.315, 0.22),
    lips=(0.40, 0.125, 0.115),
    iris=(0.085, 0.042, 0.016),
    iris_inner=(0.20, 0.095, 0.030),
    hair=(0.020, 0.010, 0.006),
    hair_tip=(0.085, 0.040, 0.020),
    cloth=(0.03, 0.13, 0.15),
    neckline=Neckline(-0.90, -1.96, -1.42, -1.30, 0.7),
    brow=Brow((0.105, 0.34, 0.50), (0.215, 0.262, 0.285, 0.222), 0.058, 0.075, 480, 4.3),
    hairline="round",
    seed=7,
    freckles=0.5,
    flush=0.9,
    grain=0.8,
    lid_shade=0.75,
    lid_line=0.9,
    long_hair=True,
    rest={"mouthSmile": 0.24, "cheekSquint": 0.10, "mouthShrugLower": 0.10},
)
JONAS = Person(
    name="jonas",
    recipe={
        "macrodetails/caucasian-male-young": 0.80,
        "macrodetails/caucasian-male-old": 0.10,
        "macrodetails/african-male-young": 0.10,
        "macrodetails/universal-male-young-averagemuscle-averageweight": 0.9,
        "macrodetails/universal-male-old-averagemuscle-averageweight": 0.1,
        "head/head-rectangular": 0.3,
        "chin/chin-width-incr": 0.2,
        "nose/nose-hump-incr": 0.25,
        "mouth/mouth-angles-up": 0.45,
    },
    skin=(0.49, 0.275, 0.19),
    lips=(0.36, 0.145, 0.12),
    iris=(0.075, 0.125, 0.155),
    iris_inner=(0.20, 0.24, 0.22),
    hair=(0.032, 0.019, 0.011),
    hair_tip=(0.12, 0.070, 0.040),
    cloth=(0.045, 0.05, 0.062),
    neckline=Neckline(-1.05, -1.86, -1.36, -1.30),
    brow=Brow((0.095, 0.35, 0.54), (0.185, 0.222, 0.235, 0.165), 0.078, 0.085, 560, 4.6),
    hairline="receding",
    seed=11,
    beard=0.8,
    flush=0.6,
    grain=0.95,
    lash_length=0.7,
    lid_shade=0.3,
    lid_line=0.35,
    rest={"mouthSmile": 0.24, "cheekSquint": 0.10, "mouthShrugLower": 0.10, "eyeWide": 0.35},
)
PEOPLE = (MIRA, JONAS)
