"""Pictures of damaged faces and what each pixel would be on the whole face, drawn on the device that trains.

python -m training.picture_stream --people PEOPLE.npz --out PICTURE.png
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from facecom.guidance.camera import VIEW_ANGLES_RAD
from facecom.guidance.rendering import AMBIENT, HEADLIGHT
from facecom.model.template import SHAPE_LEVEL, Template
from training.batch_rendering import Pictures, rasterise, vertex_normals
from training.clutter import covered, glasses, glasses_triangles, uniform
from training.face_stream import FaceStream, waves
from training.people import load

CENTRE_MM = (0.0, 5.0, -40.0)
HALF_MM = (74.0, 108.0)
"""Range of half the side of a view; those of guidance have 85."""
NEAR_VIEW_SHARE = 0.6
"""Share of the pictures that are taken from near one of guidance's views."""
FINE_PLACES = ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.5, 0.5, 0), (0, 0.5, 0.5), (0.5, 0, 0.5))
"""Barycentric weights of a triangle's corners and of the middles of its edges."""
STRANDS, STRANDS_CHANCE = 16, 0.25


@dataclass(frozen=True, eq=False)
class PictureStream:
    """Pictures of `size` pixels a side of faces from a stream.

    triangles : (F, 3), those of the face and of glasses; region : (F, 6) int, 0 background, of each triangle's corners
    and of the middles of its edges, which are vertices of the finest level; neighbours : (V, V), means over neighbours
    """

    faces: FaceStream
    size: int
    triangles: Tensor
    skin_triangles: Tensor
    region: Tensor
    neighbours: Tensor
    dark: Tensor
    red: Tensor

    @classmethod
    def of(cls, faces: FaceStream, *, size: int) -> PictureStream:
        """Its template's regions; glasses belong to the background."""
        template, device = Template.load(), faces.base.device
        count = template.counts[SHAPE_LEVEL]
        skin = torch.tensor(template.faces[SHAPE_LEVEL].copy(), device=device)
        frames = torch.tensor(glasses_triangles(), device=device)
        region = np.concatenate([_fine_regions(template) + 1, np.zeros((len(frames), 6), int)])
        numbers = {name: k + 1 for k, name in enumerate(template.region_names)}
        here = {"device": device}
        return cls(
            faces=faces, size=size, triangles=torch.cat([skin, frames + count]), skin_triangles=skin,
            region=torch.tensor(region, device=device), neighbours=_neighbour_means(template, device),
            dark=torch.tensor([numbers["l_brow"], numbers["r_brow"]], **here),
            red=torch.tensor([numbers["u_lip"], numbers["l_lip"], numbers["mouth"]], **here),
        )  # fmt: skip

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures (count, 3, S, S) in -1..1 and labels (count, S, S)."""
        face = self._smoothed(self.faces.draw(count, random), random)
        noise = uniform(0, 0.22, (count, 1, 1), random) * torch.randn(face.shape, device=face.device, generator=random)
        normals = vertex_normals(face, self.skin_triangles)
        surface, worn = covered(face, normals, self.faces.base, random)
        surface = surface + noise * (uniform(0, 1, (count, 1, 1), random) < 0.6)
        everything = torch.cat([surface, glasses(count, random)], 1)
        axes, pixels, depth = self._view(everything, random)
        shown = rasterise(pixels, depth, self.triangles, size=self.size)
        smooth = vertex_normals(everything, self.triangles)
        label = self._labels(shown, torch.cat([worn, torch.ones_like(everything[:, face.shape[1] :, 0])], 1))
        return self._shaded(shown, everything, smooth, label, axes, random)

    def _smoothed(self, face: Tensor, random: torch.Generator) -> Tensor:
        """Some as scanners smooth: each vertex moved to the mean of its neighbours, once or several times."""
        times = (uniform(-4, 4, (len(face), 1, 1), random)).clamp(min=0)
        for k in range(4):
            columns = face.permute(1, 0, 2).flatten(1)
            mean = (self.neighbours @ columns).reshape(face.shape[1], -1, 3).permute(1, 0, 2)
            face = torch.lerp(face, mean, (times - k).clamp(0, 1))
        return face

    def _labels(self, shown: Pictures, worn: Tensor) -> Tensor:
        """What each pixel would be: the region of the nearest vertex of the finest level; 0 where something is worn."""
        places = torch.tensor(FINE_PLACES, device=worn.device)
        nearest = (shown.weights[..., None, :] - places).square().sum(-1).argmin(-1, keepdim=True)
        label = self.region[shown.faces.clamp(min=0)].gather(3, nearest)[..., 0]
        on_skin = shown.nearest(worn.float(), self.triangles) < 0.5
        return torch.where(shown.mask & on_skin, label, 0)

    def _view(self, vertices: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Axes (N, 3, 3) as `Camera` has them, pixels and depths of all vertices."""
        count, device = len(vertices), vertices.device

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, device=device, generator=random)

        named = torch.tensor(list(VIEW_ANGLES_RAD.values()), device=device)
        angles = named[torch.randint(len(named), (count,), device=device, generator=random)] + 0.1 * normal(count, 2)
        free = torch.stack([0.55 * normal(count), 0.3 * normal(count)], 1).clamp(-1.3, 1.3)
        near = uniform(0, 1, (count, 1), random) < NEAR_VIEW_SHARE
        yaw, pitch = torch.where(near, angles, free).unbind(1)
        towards = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], 1)
        right = torch.stack([yaw.cos(), 0 * yaw, -yaw.sin()], 1)
        up = torch.linalg.cross(towards, right)
        roll = 0.1 * normal(count, 1)
        axes = torch.stack([roll.cos() * right + roll.sin() * up, roll.cos() * up - roll.sin() * right, towards], 1)
        target = torch.tensor(CENTRE_MM, device=device) + 6 * normal(count, 1, 3)
        local = torch.einsum("nvd,ned->nve", vertices - target, axes)
        scale = self.size / (2 * uniform(*HALF_MM, (count, 1, 1), random))
        pixels = local[..., :2] * scale * torch.tensor([1.0, -1.0], device=device) + self.size / 2
        return axes, pixels, 500.0 - local[..., 2]

    def _shaded(
        self, shown: Pictures, vertices: Tensor, normals: Tensor, label: Tensor, axes: Tensor, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        points = shown.interpolated(vertices, self.triangles)
        normal = normalize(shown.interpolated(normals, self.triangles), dim=-1)
        inside = _outline(points, random)
        label = torch.where(inside, label, 0)
        seen = shown.mask & inside & ~_holes(points, random) & ~self._grazing(normal, axes, random)
        count = len(points)
        normal = normalize(normal + uniform(0, 0.2, (count, 1, 1, 1), random) * _noise(normal.shape, random), dim=-1)
        lit = _lit(normal, axes, random)
        picture = lit[..., None] * self._colours(label, points, random) * seen[..., None]
        picture, label = _strands(picture, label, random)
        grain = uniform(0, 0.02, (count, 1, 1, 1), random)
        picture = picture + grain * torch.randn(picture.shape, device=picture.device, generator=random)
        return 2 * picture.clamp(0, 1).permute(0, 3, 1, 2) - 1, label

    def _grazing(self, normal: Tensor, axes: Tensor, random: torch.Generator) -> Tensor:
        """Pixels whose surface a scanner from somewhere in front does not see."""
        count = len(normal)
        place = 0.5 * torch.randn((count, 3), device=normal.device, generator=random)
        place[:, 2] = 1.0
        facing = torch.einsum("nhwd,nd->nhw", normal, normalize(place, dim=1))
        least = uniform(0.0, 0.45, (count, 1, 1), random)
        return (facing < least) & (uniform(0, 1, (count, 1, 1), random) < 0.3)

    def _colours(self, label: Tensor, points: Tensor, random: torch.Generator) -> Tensor:
        """Colour of each pixel: grey, or skin that varies slowly, with darker brows, redder lips and anything else."""
        count = len(label)
        grey = uniform(0.75, 1.0, (count, 1, 1, 1), random).expand(*label.shape, 3)
        shades = torch.stack([uniform(*r, (count,), random) for r in ((1, 1), (0.7, 0.95), (0.5, 0.85))], 1)
        skin = (uniform(0.3, 1.0, (count, 1), random) * shades)[:, None, None]
        skin = skin * (1 + 0.12 * waves(points, random, shortest_mm=4.0, longest_mm=60.0)[..., None])
        other = uniform(0.02, 0.9, (count, 1, 1, 3), random)
        skin = torch.where((label == 0)[..., None], other, skin)
        brow = uniform(0.3, 1.0, (count, 1, 1, 1), random)
        skin = torch.where(torch.isin(label, self.dark)[..., None], brow * skin, skin)
        lips = torch.cat(
            [uniform(0.8, 1.1, (count, 1, 1, 1), random)] + 2 * [uniform(0.5, 1.0, (count, 1, 1, 1), random)], -1
        )
        skin = torch.where(torch.isin(label, self.red)[..., None], lips * skin, skin)
        return torch.where(uniform(0, 1, (count, 1, 1, 1), random) < 0.6, grey, skin)


def _fine_regions(template: Template) -> np.ndarray:
    """Regions (F, 6) of corners and edges' middles of the triangles of `SHAPE_LEVEL`, in the order of `FINE_PLACES`."""
    children = template.faces[SHAPE_LEVEL + 1].reshape(-1, 4, 3)
    own = template.faces[SHAPE_LEVEL]
    first, second, third, inner = children.transpose(1, 0, 2)
    corners = np.stack([first[:, 0], second[:, 1], third[:, 2]], 1)
    if not np.array_equal(corners, own):
        raise ValueError("the template's triangles are not divided in the expected order")
    return template.region[np.concatenate([corners, inner], 1)]


def _neighbour_means(template: Template, device: torch.device) -> Tensor:
    links = template.faces[SHAPE_LEVEL][:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    links = np.unique(np.concatenate([links, links[:, ::-1]]), axis=0)
    share = 1.0 / np.bincount(links[:, 0])[links[:, 0]]
    size = template.counts[SHAPE_LEVEL]
    values = torch.tensor(share, dtype=torch.float32, device=device)
    places = torch.tensor(links.T.copy(), device=device)
    return torch.sparse_coo_tensor(places, values, (size, size), check_invariants=True).coalesce()


def _lit(normal: Tensor, axes: Tensor, random: torch.Generator) -> Tensor:
    """Shading: half of the pictures in the light of guidance's renders, the others in any."""
    count, device = len(normal), normal.device
    own = torch.tensor(HEADLIGHT, device=device).expand(count, 3)
    free = torch.randn((count, 3), device=device, generator=random) * 0.5
    free[:, 2] = 1.0
    usual = uniform(0, 1, (count, 1), random) < 0.5
    towards = torch.einsum("nd,nde->ne", normalize(torch.where(usual, own, free), dim=1), axes)
    ambient = torch.where(usual, AMBIENT, uniform(0.05, 0.45, (count, 1), random))[:, :, None]
    return ambient + (1 - ambient) * torch.einsum("nhwd,nd->nhw", normal, towards).clamp(0, 1)


def _outline(points: Tensor, random: torch.Generator) -> Tensor:
    """What a scanner of faces keeps: a disc about the face with a wavy rim, or everything."""
    count = len(points)
    x, y, z = points.unbind(-1)
    one = (count, 1, 1)
    wave = 1 + 0.06 * waves(points, random, shortest_mm=40.0, longest_mm=150.0)
    disc = torch.hypot(x / 0.85, y - 10) < uniform(75, 120, one, random) * wave
    disc &= z > -uniform(70, 150, one, random)
    return disc | (uniform(0, 1, one, random) < 0.4)


def _holes(points: Tensor, random: torch.Generator) -> Tensor:
    """Defects: balls with wavy rims about points of the face, or one half."""
    one = (len(points), 1, 1)
    kind = uniform(0, 1, one, random)
    rim = waves(points, random, shortest_mm=15.0, longest_mm=60.0)
    side = torch.where(uniform(0, 1, one, random) < 0.5, -1.0, 1.0)
    half = side * points[..., 0] > uniform(-5, 30, one, random) + 2 * rim
    balls = torch.zeros_like(half)
    for _ in range(4):
        centre = torch.stack([uniform(*r, one, random) for r in ((-60, 60), (-75, 80))], -1)
        away = (points[..., :2] - centre).norm(dim=-1)
        there = uniform(0, 1, one, random) < 0.5
        balls |= there & (away < uniform(4, 34, one, random) * (1 + 0.12 * rim)) & (points[..., 2] > -90)
    return torch.where(kind < 0.12, half, balls & (kind > 0.3))


def _noise(shape: torch.Size, random: torch.Generator) -> Tensor:
    """Noise of unit size for pictures (N, S, S, 3), smooth over four pixels in half of them."""
    fine = torch.randn(shape, device=random.device, generator=random)
    few = torch.randn((shape[0], 3, shape[1] // 4, shape[2] // 4), device=random.device, generator=random)
    coarse = interpolate(few, shape[1:3], mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return torch.where(uniform(0, 1, (shape[0], 1, 1, 1), random) < 0.5, fine, coarse)


def _strands(picture: Tensor, label: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hair-like curves over forehead, temples and chin, in a colour of their own; they are background."""
    count, size = label.shape[0], label.shape[1]
    steps = torch.arange(size, device=label.device) + 0.5
    row, column = torch.meshgrid(steps, steps, indexing="ij")
    hairy = uniform(0, 1, (count, 1, 1), random) < STRANDS_CHANCE
    colour = uniform(0.05, 0.8, (count, 1, 1, 1), random) * uniform(0.6, 1.0, (count, 1, 1, 3), random)
    one = (count, 1, 1)
    for _ in range(STRANDS):
        high = uniform(0, 1, one, random) < 0.85
        top = torch.where(high, uniform(-0.1, 0.25, one, random), uniform(0.85, 1.0, one, random)) * size
        heading = uniform(0, math.pi, one, random)
        u = (row - top) * heading.sin() + (column - size * uniform(0, 1, one, random)) * heading.cos()
        v = (row - top) * heading.cos() - (column - size * uniform(0, 1, one, random)) * heading.sin()
        bend = 0.006 * torch.randn(one, device=label.device, generator=random)
        near = ((v - bend * u**2).abs() < uniform(0.5, 2.2, one, random)) & (u > 0)
        near &= (u < uniform(0.1, 0.45, one, random) * size) & hairy
        near &= uniform(0, 1, one, random) < 0.6
        shade = (colour * uniform(0.5, 1.3, (count, 1, 1, 1), random)).clamp(0, 1)
        picture = torch.where(near[..., None], shade, picture)
        label = torch.where(near, 0, label)
    return picture, label


def main() -> None:
    """Draw a sheet of pictures over their labels, to be looked at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--size", type=int, default=144)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    device = torch.device("cpu")
    stream = PictureStream.of(FaceStream.of(load(options.people), device=device), size=options.size)
    pictures, labels = stream.draw(options.columns, torch.Generator(device).manual_seed(options.seed))
    colours = np.random.default_rng(3).integers(60, 255, (int(labels.max()) + 1, 3))
    colours[0] = 0
    top = np.concatenate((127.5 * (pictures.permute(0, 2, 3, 1).numpy() + 1)).astype(np.uint8), axis=1)
    bottom = np.concatenate(colours[labels.numpy()].astype(np.uint8), axis=1)
    Image.fromarray(np.concatenate([top, bottom])).save(options.out)


if __name__ == "__main__":
    main()
