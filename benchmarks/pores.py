"""Is the skin that is made up like the skin that was there? Other pieces than porebench's, on the same head.

    python benchmarks/pores.py FOLDER [--sets A B C D] [--levels 4] [--pictures FOLDER]

FOLDER holds the Lee Perry-Smith head (LeePerrySmith.glb and its 4096 x 4096 displacement map). The head is subdivided
to 0.16 mm edges, displaced, and pieces of skin are cut out, several from each scan; `facecom.complete` gives the scan
back with detail, and each piece is read as height maps of 10 x 10 mm at 0.1 mm, made and true. The table says by piece:
relief at wavelengths of 0.3-0.6, 0.6-1.2 and 1.2-2.4 mm, made over true in dB; Rq made / true in micrometres and their
ratio; skewness made / true; shift (mean offset) and shape (its rms within a window) in mm; relief along the rim in dB.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from facecom.completion import complete
from facecom.completion.values import Report
from facecom.errors import need
from facecom.geometry.mesh import Mesh, unit, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.geometry.subdivision import loop_matrix, midpoint_matrix, split_faces
from facecom.geometry.transform import Similarity, rotation_from_vector

MM_PER_UNIT, UNITS_PER_LEVEL, ZERO_LEVEL = 45.7, 5.35e-4, 127.0
WINDOW_MM, PIXEL_MM, HIGH_PASS_MM, ABOVE_MM = 10.0, 0.1, 1.0, 12.0
BANDS_MM = ((0.3, 0.6), (0.6, 1.2), (1.2, 2.4))
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A ball around a point of the skin: near (x, y, z) from the nose tip, x to the subject's left, y up, mm."""

    name: str
    near: tuple[float, float, float]
    radius: float


SETS = {
    "A": (
        Piece("cheek left", (36, -18, -28), 15),
        Piece("forehead right", (-26, 62, -22), 15),
        Piece("chin", (5, -56, -16), 12),
        Piece("temple right", (-52, 42, -48), 12),
    ),
    "B": (
        Piece("cheek low right", (-40, -36, -32), 14),
        Piece("glabella", (2, 46, -14), 11),
        Piece("jaw left", (34, -48, -34), 14),
        Piece("below eye left", (34, 8, -24), 11),
    ),
    "C": (
        Piece("nose bridge", (3, 25, -12), 10),
        Piece("lip right", (-19, -27, -15), 9),
        Piece("temple left", (52, 46, -48), 14),
        Piece("cheek back right", (-56, -14, -46), 13),
    ),
    "D": (
        Piece("nose wing left", (13, 1, -14), 9),
        Piece("forehead left", (30, 58, -24), 17),
        Piece("cheek front right", (-27, -20, -22), 10),
        Piece("chin low right", (-10, -62, -20), 11),
    ),
}


def fine_head(folder: Path, levels: int) -> Mesh:
    """The head at pore level, the nose tip at the origin, mm."""
    image = need("PIL.Image")
    image.MAX_IMAGE_PIXELS = None
    raw = need("trimesh").load(folder / "LeePerrySmith.glb", process=False, force="mesh")
    place, faces = np.c_[np.asarray(raw.vertices), np.asarray(raw.visual.uv)], np.asarray(raw.faces)
    x, y, z = place[faces, :3].mean(1).T
    faces = faces[(z > 0.6) & (y > -0.85) & (y < 3.2) & (np.abs(x) < 1.6)]
    _, first, back = np.unique(np.round(place, 5), axis=0, return_index=True, return_inverse=True)
    faces = back.ravel()[faces]
    used, faces = np.unique(faces, return_inverse=True)
    place, faces = place[first][used], faces.reshape(-1, 3).astype(np.int64)
    faces = faces[(np.diff(np.sort(faces, 1), axis=1) > 0).all(1)]
    for _ in range(levels):
        smooth = loop_matrix(faces, len(place)) @ place[:, :3]
        faces, parents = split_faces(faces, len(place))
        place = np.c_[smooth, midpoint_matrix(parents, len(place)) @ place[:, 3:]]
    level = np.asarray(image.open(folder / "Infinite-Level_02_Disp_NoSmoothUV-4096.jpg"), dtype=float)
    texel = place[:, [4, 3]].T * (np.array(level.shape)[:, None] - 1)
    height = (map_coordinates(level, texel, order=1) - ZERO_LEVEL) * UNITS_PER_LEVEL
    vertices = MM_PER_UNIT * (place[:, :3] + height[:, None] * vertex_normals(place[:, :3], faces))
    middle = np.abs(vertices[:, 0] - np.median(vertices[:, 0])) < 25
    return Mesh(vertices - vertices[middle][np.argmax(vertices[middle, 2])], faces)


def centre_of(head: Mesh, piece: Piece) -> Array:
    """The vertex of the head that the piece lies around."""
    return head.vertices[np.argmin(np.linalg.norm(head.vertices - np.asarray(piece.near), axis=1))]


def cut(head: Mesh, pieces: tuple[Piece, ...], *, seed: int) -> tuple[Mesh, Similarity]:
    """The head without the pieces in some other pose, and the pose."""
    gone = np.zeros(len(head.vertices), bool)
    for piece in pieces:
        gone |= np.linalg.norm(head.vertices - centre_of(head, piece), axis=1) < piece.radius
    touched = np.asarray(gone[head.faces].any(axis=1), bool)
    scan = head.submesh(~touched)[0]
    random = np.random.default_rng(seed)
    turn = rotation_from_vector(unit(random.normal(size=3)) * np.radians(random.uniform(3, 15)))
    pose = Similarity(rotation=turn, translation=random.uniform(-50, 50, 3))
    return scan.with_vertices(pose.apply(scan.vertices)), pose


@dataclass(frozen=True, eq=False)
class Views:
    """Where a piece is looked at: points (W, 3) and directions (W, 3) of windows inside, in the head's frame."""

    points: Array
    normals: Array


def views_of(head: Mesh, piece: Piece) -> Views:
    """Four windows, or one where the piece is small."""
    centre = centre_of(head, piece)
    normals = vertex_normals(head.vertices, head.faces)
    shifts = ((0, 0), (0.45, 0.1), (-0.1, -0.5), (-0.45, 0.2)) if piece.radius > 11 else ((0, 0),)
    points, directions = [], []
    for dx, dy in shifts:
        wanted = centre + (piece.radius - 7) * np.array([dx, dy, 0])
        point = head.vertices[np.argmin(np.linalg.norm(head.vertices - wanted, axis=1))]
        points.append(point)
        directions.append(unit(normals[np.linalg.norm(head.vertices - point, axis=1) < 4].mean(0)))
    return Views(np.array(points), np.array(directions))


def height_map(surface: Surface, point: Array, normal: Array, *, half_mm: float) -> tuple[Array, Array]:
    """Height along the normal over a square window, NaN off the surface, and the points of its rays."""
    x = unit(np.cross([0.0, 1.0, 0.0], normal))
    y = np.cross(normal, x)
    steps = np.arange(-half_mm, half_mm, PIXEL_MM) + 0.5 * PIXEL_MM
    across, up = np.meshgrid(steps, steps)
    start = point + across[..., None] * x + up[..., None] * y + ABOVE_MM * normal
    depth = surface.cast(start, np.broadcast_to(-normal, start.shape)).depth
    return np.where(np.isfinite(depth) & (depth < 2 * ABOVE_MM), ABOVE_MM - depth, np.nan), start


def relief_of(height: Array) -> tuple[Array, Array]:
    """What is finer than a Gaussian of 1 mm, and the rest."""
    there = np.isfinite(height)
    sigma = HIGH_PASS_MM / PIXEL_MM
    total = np.maximum(gaussian_filter(there.astype(float), sigma), 1e-6)
    low = gaussian_filter(np.where(there, height, 0.0), sigma) / total
    return np.where(there, height - low, np.nan), low


def band_energy(relief: Array) -> Array:
    """Energy in each band, (3,)."""
    inner = np.nan_to_num(relief)[10:-10, 10:-10]
    window = np.hanning(len(inner))
    power = np.abs(np.fft.fft2((inner - inner.mean()) * np.outer(window, window))) ** 2
    steps = np.fft.fftfreq(len(inner), PIXEL_MM)
    k = np.hypot(*np.meshgrid(steps, steps))
    return np.array([power[(k >= 1 / b) & (k < 1 / a)].sum() for a, b in BANDS_MM])


def compare(made: Mesh, head: Mesh, piece: Piece) -> dict[str, Array]:
    """Figures of one piece; both meshes in the head's frame."""
    views, rows = views_of(head, piece), []
    near = np.linalg.norm(head.vertices - centre_of(head, piece), axis=1) < piece.radius + 12
    surfaces = Surface(made), Surface(head.submesh(near[head.faces].all(1))[0])
    for point, normal in zip(views.points, views.normals, strict=True):
        parts = [relief_of(height_map(s, point, normal, half_mm=0.5 * WINDOW_MM)[0]) for s in surfaces]
        (own, own_low), (true, true_low) = parts
        both = np.isfinite(own) & np.isfinite(true)
        if both.mean() < 0.9:
            continue
        both[:10] = both[-10:] = both[:, :10] = both[:, -10:] = False
        decibel = 10 * np.log10((band_energy(own) + 1e-12) / (band_energy(true) + 1e-12))
        off = (own_low - true_low)[both]
        skew = [_skewness(values[both]) for values in (own, true)]
        rows.append([*decibel, 1e3 * own[both].std(), 1e3 * true[both].std(), *skew, off.mean(), off.std()])
    if not rows:
        raise ValueError(f"{piece.name}: the detail covers none of its windows")
    mean = np.mean(rows, axis=0)
    return {
        "bands": mean[:3],
        "rq": mean[3:5],
        "skew": mean[5:7],
        "shift": mean[7],
        "shape": mean[8],
        "rim": _rim(*surfaces, views=views, piece=piece, centre=centre_of(head, piece)),
    }


def _skewness(values: Array) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / max(centred.std(), 1e-9) ** 3)


def _rim(made: Surface, true: Surface, *, views: Views, piece: Piece, centre: Array) -> float:
    normal = views.normals[0]
    own, _ = height_map(made, centre, normal, half_mm=piece.radius + 4)
    real, start = height_map(true, centre, normal, half_mm=piece.radius + 4)
    points = start - (ABOVE_MM - np.nan_to_num(real))[..., None] * normal
    distance = np.linalg.norm(points - centre, axis=-1)
    ring = np.isfinite(own) & np.isfinite(real) & (distance < piece.radius + 0.5) & (distance > piece.radius - 2)
    own_square, real_square = (np.nanvar(relief_of(h)[0][ring]) + 1e-12 for h in (own, real))
    return float(10 * np.log10(own_square / real_square))


def make(head: Mesh, pieces: tuple[Piece, ...], *, seed: int) -> tuple[Mesh, Report]:
    """The detail made for a scan without the pieces, in the head's frame, and the report."""
    scan, pose = cut(head, pieces, seed=seed)
    done = complete(scan, unit="mm", detail="own")
    if done.detail is None:
        raise ValueError(f"no detail was made: {'; '.join(done.report.warnings)}")
    back = pose.inverse() @ done.pose.inverse()
    return done.detail.mesh.with_vertices(back.apply(done.detail.mesh.vertices)), done.report


def close_up(path: Path, made: Mesh, head: Mesh, piece: Piece) -> None:
    """Made beside true, seen straight on, light from the left."""
    centre, normal = centre_of(head, piece), views_of(head, piece).normals[0]
    near = np.linalg.norm(head.vertices - centre, axis=1) < piece.radius + 12
    sides = []
    for mesh in (made, head.submesh(near[head.faces].all(1))[0]):
        height, _ = height_map(Surface(mesh), centre, normal, half_mm=piece.radius + 3)
        up, across = np.gradient(np.where(np.isfinite(height), height, np.nanmin(height)), PIXEL_MM)
        facing = unit(np.stack([-across, -up, np.ones_like(up)], axis=-1))
        shade = np.clip(1.2 * facing @ unit(np.array([-0.9, 0.3, 0.35])), 0, 1) * np.isfinite(height)
        sides.append(shade[::-1])
    image = need("PIL.Image").fromarray(
        (np.hstack([sides[0], np.ones((len(sides[0]), 6)), sides[1]]) * 255).astype(np.uint8)
    )
    image.resize((2 * image.width, 2 * image.height)).save(path)


def row(name: str, got: dict[str, Array]) -> str:
    """One line of the table."""
    bands = " ".join(f"{b:+5.1f}" for b in got["bands"])
    rq, skew = got["rq"], got["skew"]
    return (
        f"{name:18s} {bands}  {rq[0]:5.1f} /{rq[1]:5.1f} {rq[0] / rq[1]:5.2f}  {skew[0]:+.2f} /{skew[1]:+.2f}"
        f"  {got['shift']:+.2f} {got['shape']:.2f}  {got['rim']:+.1f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=sorted(SETS))
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--pictures", type=Path, help="folder for close-ups, made beside true")
    chosen = parser.parse_args()
    head = fine_head(chosen.folder, chosen.levels)
    print(f"{'piece':18s}  0.3   0.6   1.2   Rq made/true      skew           shift shape  rim dB")
    for name in chosen.sets:
        made, report = make(head, SETS[name], seed=ord(name))
        for piece in SETS[name]:
            try:
                print(row(piece.name, compare(made, head, piece)), flush=True)
            except ValueError as error:
                print(error, flush=True)
            if chosen.pictures:
                chosen.pictures.mkdir(parents=True, exist_ok=True)
                close_up(chosen.pictures / f"pores_{piece.name.replace(' ', '_')}.png", made, head, piece)
        warned = "; ".join(report.warnings) or "no warning"
        print(f"  {sum(report.seconds.values()):.0f} s, detail {report.seconds['detail']:.1f} s; {warned}", flush=True)


if __name__ == "__main__":
    main()
