"""Pictures to train the guidance networks on: our own faces from all sides, and what damage does to them.

python -m training.guidance_data --count 2400 --size 96 --out out/guidance/faces.npz

The file holds complete faces as depth, normals and region; `damaged` turns one into a training example with holes,
noise, a colour and hair-like clutter, differently each time it is asked.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, unit
from facecom.guidance.camera import Camera
from facecom.guidance.rendering import render
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL

NORMAL_STEPS = 127.0


@dataclass(frozen=True, eq=False)
class FacePictures:
    """N complete faces: depth (N, S, S) mm with NaN outside, normals (N, S, S, 3) face frame, label (N, S, S).

    A label is 0 outside and the template's region plus one inside. yaw, pitch, roll, half_mm : (N,); target : (N, 3).
    """

    depth: np.ndarray
    normals: np.ndarray
    label: np.ndarray
    yaw: Floats
    pitch: Floats
    roll: Floats
    half_mm: Floats
    target: Floats

    def camera(self, index: int) -> Camera:
        """The camera of one picture."""
        return rolled_camera(
            self.yaw[index],
            self.pitch[index],
            self.roll[index],
            self.target[index],
            self.half_mm[index],
            self.depth.shape[1],
        )


def rolled_camera(yaw: float, pitch: float, roll: float, target: Floats, half_mm: float, size: int) -> Camera:
    """An orthographic camera that is also turned about its own viewing direction."""
    straight = Camera.orthographic(target=target, half_mm=half_mm, size=size, yaw=yaw, pitch=pitch)
    c, s = np.cos(roll), np.sin(roll)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return Camera(turn @ straight.axes, straight.eye, size, size, straight.scale, False)


def make_pictures(model: LinearGenerator, *, count: int, size: int, seed: int) -> FacePictures:
    """Faces drawn from the model's prior, each from a side of its own."""
    rng = np.random.default_rng(seed)
    yaw, pitch = 0.55 * rng.normal(size=count).clip(-2.3, 2.3), 0.3 * rng.normal(size=count).clip(-2.2, 2.2)
    roll, half = 0.15 * rng.normal(size=count), 96 * rng.uniform(0.85, 1.15, count)
    target = np.array([0.0, 5.0, -40.0]) + 6 * rng.normal(size=(count, 3))
    depth = np.zeros((count, size, size), np.float32)
    normals, label = np.zeros((count, size, size, 3), np.int8), np.zeros((count, size, size), np.int8)
    region = model.template.region[: model.template.counts[SHAPE_LEVEL]]
    for k in range(count):
        face = model.sample(seed + 1 + k, level=SHAPE_LEVEL, discrepancy=bool(k % 2))
        camera = rolled_camera(yaw[k], pitch[k], roll[k], target[k], half[k], size)
        picture = render(Surface(face), camera, labels=region)
        depth[k], label[k] = picture.depth, picture.labels + 1
        normals[k] = np.round(NORMAL_STEPS * picture.normals)
    return FacePictures(depth, normals, label, yaw, pitch, roll, half, target)


def load_pictures(path: Path, *, size: int | None = None) -> FacePictures:
    """Read stored pictures, thinned to `size` pixels a side where given."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    if size is not None:
        full = arrays["depth"].shape[1]
        pick = ((np.arange(size) + 0.5) * full / size).astype(int)
        for name in ("depth", "normals", "label"):
            arrays[name] = np.ascontiguousarray(arrays[name][:, pick][:, :, pick])
    return FacePictures(**arrays)


def damaged(pictures: FacePictures, index: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """A picture (3, S, S) of a damaged face in 0..1 and what each pixel would be on the whole face, (S, S)."""
    camera, depth = pictures.camera(index), pictures.depth[index]
    normals = pictures.normals[index] / NORMAL_STEPS
    label = pictures.label[index].astype(np.int64)
    whole = np.isfinite(depth)
    points = np.where(whole[..., None], camera.unproject(np.where(whole, depth, 0.0)), 0.0)
    shown = whole & _outline(points, rng)
    label = np.where(shown, label, 0)
    seen = shown & ~_holes(points, whole, rng)
    normals = unit(normals + _noise(normals.shape, rng) * rng.choice([0.02, 0.1, 0.25]))
    light = unit(np.array([rng.normal(0, 0.5), rng.normal(0.3, 0.4), 1.0])) @ camera.axes
    ambient = rng.uniform(0.05, 0.4)
    lit = ambient + (1 - ambient) * np.clip(normals @ light, 0, 1)
    picture = (lit * seen)[..., None] * _tint(label, rng)
    clutter, shade = _clutter(whole, points, rng)
    picture[clutter] = shade[clutter]
    picture = picture + 0.02 * rng.uniform() * rng.normal(size=picture.shape)
    return np.clip(picture, 0, 1).transpose(2, 0, 1), np.where(clutter, 0, label)


def _outline(points: Floats, rng: np.random.Generator) -> Bools:
    """What a scanner of faces keeps: a disc about the face with a wavy rim, or everything."""
    if rng.uniform() < 0.35:
        return np.ones(points.shape[:2], bool)
    x, y, z = np.moveaxis(points, -1, 0)
    angle = np.arctan2(y - 10, x)
    wave = 1 + 0.06 * np.sin(rng.integers(2, 7) * angle + rng.uniform(0, 6))
    return (np.hypot(x / 0.85, y - 10) < rng.uniform(75, 115) * wave) & (z > -rng.uniform(70, 120))


def _holes(points: Floats, whole: Bools, rng: np.random.Generator) -> Bools:
    """Defects: balls with wavy rims about points of the face, or one half."""
    hole = np.zeros(whole.shape, bool)
    kind = rng.uniform()
    if kind < 0.15:
        return hole
    if kind < 0.27:
        side = rng.choice([-1, 1])
        return side * points[..., 0] > rng.uniform(-5, 25) + 2 * np.sin(points[..., 1] / 9 + rng.uniform(0, 6))
    proper = np.argwhere(whole & (np.hypot(points[..., 0], points[..., 1] - 10) < 80) & (points[..., 2] > -70))
    for _ in range(rng.integers(1, 5)):
        if len(proper):
            centre = points[tuple(proper[rng.integers(len(proper))])]
            away = points - centre
            wave = 1 + 0.12 * np.sin(away[..., 0] / 5 + rng.uniform(0, 6)) * np.sin(away[..., 1] / 6)
            hole |= np.linalg.norm(away, axis=-1) < rng.uniform(5, 36) * wave
    return hole


def _clutter(whole: Bools, points: Floats, rng: np.random.Generator) -> tuple[Bools, Floats]:
    """Hair-like strands over forehead, temples and beside the head, and blobs below the chin, with their colours."""
    size = len(whole)
    mask, shade = np.zeros(whole.shape, bool), np.zeros((*whole.shape, 3))
    if rng.uniform() < 0.4:
        return mask, shade
    rows, columns = np.mgrid[:size, :size]
    base = rng.uniform(0.05, 0.8) * rng.uniform(0.6, 1.0, 3)
    for _ in range(rng.integers(3, 20)):
        high = rng.uniform() < 0.85
        start = np.array([rng.uniform(-0.1, 0.25) if high else rng.uniform(0.85, 1.0), rng.uniform(0, 1)]) * size
        heading, bend = rng.uniform(0, np.pi), rng.normal(0, 0.02)
        along = np.arange(0, rng.uniform(0.1, 0.45) * size)
        path = start[:, None] + np.stack([np.sin(heading + bend * along), np.cos(heading + bend * along)]) * along
        width = rng.uniform(0.6, 2.2)
        near = np.zeros(whole.shape, bool)
        for r, c in path.T[::2]:
            near |= (rows - r) ** 2 + (columns - c) ** 2 < width**2
        mask |= near
        shade[near] = np.clip(base * rng.uniform(0.5, 1.3), 0, 1)
    return mask, shade


def _tint(label: Ints, rng: np.random.Generator) -> Floats:
    """Colour of each pixel: grey, or skin that varies slowly, with darker brows, redder lips and other eyes."""
    if rng.uniform() < 0.5:
        return np.full((*label.shape, 3), rng.uniform(0.7, 1.0))
    skin = rng.uniform(0.3, 1.0) * np.array([1.0, rng.uniform(0.7, 0.9), rng.uniform(0.55, 0.85)])
    colour = skin * (1 + 0.15 * _noise((*label.shape, 3), rng))
    for names, factor in (((5, 6), rng.uniform(0.3, 1.0)), ((10, 11), rng.uniform(0.6, 1.0)), ((3, 4), 1.1)):
        colour[np.isin(label, names)] *= factor
    return np.clip(colour, 0, 1)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Noise of unit size that is smooth over a random number of pixels."""
    coarse = max(2, shape[0] // int(rng.choice([1, 2, 4, 12])))
    small = rng.normal(size=(coarse, coarse, *shape[2:]))
    pick = np.minimum((np.arange(shape[0]) * coarse) // shape[0], coarse - 1)
    return small[pick][:, pick]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--count", type=int, default=2400)
    p.add_argument("--size", type=int, default=96)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    arguments = p.parse_args()
    made = make_pictures(LinearGenerator.load(), count=arguments.count, size=arguments.size, seed=arguments.seed)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(arguments.out, **vars(made))


if __name__ == "__main__":
    main()
