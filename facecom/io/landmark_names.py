"""Names of the face's landmarks: the 68 points and what anatomists call some of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

LANDMARK_NAMES = (
    *(f"jaw_{k}" for k in range(1, 18)),
    *(f"right_brow_{k}" for k in range(1, 6)),
    *(f"left_brow_{k}" for k in range(1, 6)),
    *(f"nose_bridge_{k}" for k in range(1, 5)),
    *(f"nose_base_{k}" for k in range(1, 6)),
    *(f"right_eye_{k}" for k in range(1, 7)),
    *(f"left_eye_{k}" for k in range(1, 7)),
    *(f"outer_lip_{k}" for k in range(1, 13)),
    *(f"inner_lip_{k}" for k in range(1, 9)),
)
"""The 68 points in iBUG (Multi-PIE) order; right is the subject's right."""

LANDMARK_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "nasion": "nose_bridge_1",
        "sellion": "nose_bridge_1",
        "nose_tip": "nose_bridge_4",
        "pronasale": "nose_bridge_4",
        "subnasale": "nose_base_3",
        "right_alare": "nose_base_1",
        "left_alare": "nose_base_5",
        "right_exocanthion": "right_eye_1",
        "right_endocanthion": "right_eye_4",
        "left_endocanthion": "left_eye_1",
        "left_exocanthion": "left_eye_4",
        "right_cheilion": "outer_lip_1",
        "left_cheilion": "outer_lip_7",
        "labiale_superius": "outer_lip_4",
        "labiale_inferius": "outer_lip_10",
        "stomion": "inner_lip_3",
        "gnathion": "jaw_9",
        "menton": "jaw_9",
    }
)
SHOWN_LETTERS = 60
"""Letters of an unknown name that an error message repeats."""


def landmark_name(name: str) -> str:
    """A known name for one that a file has: "Nose tip" is nose_tip.

    Raises
    ------
    ValueError
        When it is none; the message lists the nearest names and all that are known.

    Examples
    --------
    >>> landmark_name("Right Eye-1")
    'right_eye_1'
    """
    plain = re.sub(r"[\s\-.]+", "_", name.strip()).lower()
    for found in (name, plain):
        if found in LANDMARK_ALIASES or found in LANDMARK_NAMES:
            return found
    raise ValueError(unknown_landmark(name))


def unknown_landmark(name: str) -> str:
    """The sentence for a name that is not known.

    Examples
    --------
    >>> unknown_landmark("nose_tipp")[:70]
    "there is no landmark 'nose_tipp'; the nearest names are nose_tip, nose"
    """
    shown = name if len(name) <= SHOWN_LETTERS else name[:SHOWN_LETTERS] + "..."
    near = difflib.get_close_matches(shown, [*LANDMARK_NAMES, *LANDMARK_ALIASES], n=4, cutoff=0.0)
    return f"there is no landmark {shown!r}; the nearest names are {', '.join(near)}; known are {known_landmarks()}"


def known_landmarks() -> str:
    """All names, the numbered ones as ranges.

    Examples
    --------
    >>> known_landmarks()[:40]
    'jaw_1 to jaw_17, right_brow_1 to right_b'
    """
    counts: dict[str, int] = {}
    for name in LANDMARK_NAMES:
        stem = name.rpartition("_")[0]
        counts[stem] = counts.get(stem, 0) + 1
    ranges = [f"{stem}_1 to {stem}_{count}" for stem, count in counts.items()]
    return ", ".join([*ranges, *LANDMARK_ALIASES])
