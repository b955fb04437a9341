"""Heads that artists made: MakeHuman's and Vitruvian's, in random combinations within the range of adults.

Both are a rest shape and displacements (targets, morphs) that add up. A target of a pair, such as nose-width-incr and
-decr, or a left and a right one, is drawn together with its partner.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh

OPPOSITES = (
    ("incr", "decr"), ("up", "down"), ("in", "out"), ("forward", "backward"), ("convex", "concave"),
    ("uncompress", "compress"),
)  # fmt: skip
CARICATURES = ("head-trans", "head-angle", "head-back", "head-diamond", "head-triang", "head-invert", "neck-trans")
PARTS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
MAKEHUMAN_CREDIT = "MakeHuman community, CC0: base head and targets"
VITRUVIAN_CREDIT = "Vitruvian (Sean Buckley, Olaf Delgado-Friedrichs), CC0: head and morphs"
NECK_Z_MM = 1500.0
LEFT_OUT = ("Age_Baby", "Generic_Assymetry", "Mouth_NoTeeth", "Eyes_UpperLidOpenness", "Eyes_LowerLidOpenness")


@dataclass(frozen=True, eq=False)
class Heads:
    """Heads of one topology.

    faces : (F, 3), the skin; vertices : (K, N, 3) float32, mm, y up, z out of the face
    """

    faces: Ints
    vertices: np.ndarray
    credit: str

    @property
    def mean(self) -> Mesh:
        """The average head."""
        return Mesh(self.vertices.mean(axis=0, dtype=float), self.faces)


def makehuman(path: Path, *, count: int, part_sd: float, seed: int) -> Heads:
    """Random MakeHuman heads: origin, sex and age mixed, then each part of the face.

    Parameters
    ----------
    part_sd : standard deviation of the weight of a part's targets, of which 1 is the artist's extreme
    """
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    names = [str(n) for n in arrays["target_names"]]
    quads = arrays["quads"][arrays["quad_group"] == "body"].astype(np.int64)
    rng, weights = np.random.default_rng(seed), np.zeros((count, len(names)))
    for row in weights:
        _draw_kind(row, names, rng)
        _draw_parts(row, names, rng, part_sd)
    vertices = np.repeat(arrays["neutral"][None].astype(np.float32), count, axis=0)
    for k, start in enumerate(arrays["target_start"][:-1]):
        at = slice(start, arrays["target_start"][k + 1])
        used = np.flatnonzero(weights[:, k])
        if len(used):
            moved = weights[used, k, None, None].astype(np.float32) * arrays["target_delta"][at]
            vertices[used[:, None], arrays["target_index"][at]] += moved
    return Heads(np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]), vertices, MAKEHUMAN_CREDIT)


def _draw_kind(row: Floats, names: list[str], rng: np.random.Generator) -> None:
    """Weights of the macro targets: one for each origin, sex and age, summing to one; no children."""
    sex, age = rng.uniform(), rng.uniform(0.0, 0.8)
    for origin, share in zip(("african", "asian", "caucasian"), rng.dirichlet([0.7, 0.7, 0.7]), strict=True):
        for kind, of_sex in (("male", sex), ("female", 1.0 - sex)):
            for time, of_age in (("young", 1.0 - age), ("old", age)):
                row[names.index(f"macrodetails/{origin}-{kind}-{time}")] = share * of_sex * of_age


def _draw_parts(row: Floats, names: list[str], rng: np.random.Generator, sd: float) -> None:
    """Weights of the parts' targets; both sides of the face nearly alike."""
    drawn: dict[str, float] = {}
    for k, name in enumerate(names):
        part, _, rest = name.partition("/")
        if rest.startswith(CARICATURES):
            continue
        if part == "asym":
            row[k] = abs(rng.normal(0.0, 0.5 * sd))
        elif part in PARTS:
            stem, sign = _signed(rest)
            stem = stem.removeprefix("l-").removeprefix("r-")
            value = drawn.setdefault(stem, float(np.clip(rng.normal(0.0, sd), -1.0, 1.0)))
            own = value + (rng.normal(0.0, 0.2 * sd) if rest.startswith(("l-", "r-")) else 0.0)
            row[k] = max(sign * own, 0.0)


def _signed(name: str) -> tuple[str, float]:
    """What a target and its opposite share, and which of the two it is."""
    for more, less in OPPOSITES:
        for word, sign in ((more, 1.0), (less, -1.0)):
            if name.endswith("-" + word):
                return name.removesuffix("-" + word), sign
    return name, 1.0


def vitruvian(folder: Path, *, count: int, part_sd: float, seed: int) -> Heads:
    """Random Vitruvian heads, cut below the neck; `part_sd` as for `makehuman`."""
    rest = _y_up(np.load(folder / "morphs/L1/Default.npy"))
    quads = np.load(folder / "faces.npy").astype(np.int64)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    faces = faces[(rest[:, 1] > NECK_Z_MM)[faces].all(axis=1)]
    kept, faces = np.unique(faces, return_inverse=True)
    kinds, parts = _vitruvian_morphs(folder / "morphs/L2", len(rest), kept)
    rng = np.random.default_rng(seed)
    vertices = np.repeat(rest[None, kept].astype(np.float32), count, axis=0)
    origins = [name for name in kinds if name.startswith("Race")]
    for head in vertices:
        sex, age = rng.uniform(-1.0, 1.0), rng.uniform(0.0, 0.8)
        head += abs(sex) * kinds["Gender_Male" if sex > 0 else "Gender_Female"] + age * kinds["Age_Old"]
        for name, share in zip(origins, rng.dirichlet(np.full(len(origins), 0.3)), strict=True):
            head += share * kinds[name]
        for moved, two_sided in parts.values():
            weight = np.clip(rng.normal(0.0, part_sd), -1.0, 1.0)
            head += (weight if two_sided else abs(weight)) * moved
    return Heads(faces.reshape(-1, 3), vertices, VITRUVIAN_CREDIT)


def _vitruvian_morphs(
    folder: Path, count: int, kept: Ints
) -> tuple[dict[str, np.ndarray], dict[str, tuple[np.ndarray, bool]]]:
    """Displacements (n, 3) of kept vertices: kinds by name; parts, with whether weights below zero are meant."""
    about = {entry["morph"]: entry.get("min", 0) < 0 for entry in json.loads((folder / "morphs.json").read_text())}
    kinds: dict[str, np.ndarray] = {}
    parts: dict[str, tuple[np.ndarray, bool]] = {}
    for path in sorted([*folder.glob("*.npy"), *folder.glob("*.npz")]):
        if path.stem in LEFT_OUT:
            continue
        moved = np.zeros((count, 3))
        if path.suffix == ".npy":
            moved = np.load(path).astype(float)
        else:
            with np.load(path, allow_pickle=False) as stored:
                moved[stored["idx"]] = stored["delta"]
        head = _y_up(moved)[kept].astype(np.float32)
        if path.stem.startswith(("Gender_", "Race_", "Age_")):
            kinds[path.stem] = head
        else:
            parts[path.stem] = (head, about.get(path.stem, False))
    return kinds, parts


def _y_up(metres: np.ndarray) -> Floats:
    """From metres, z up, facing -y."""
    return metres[:, [0, 2, 1]] * np.array([1000.0, 1000.0, -1000.0])
