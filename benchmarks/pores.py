"""Is the skin that is made up like the skin that was there? Other pieces than porebench's, on the same head.

    python benchmarks/pores.py FOLDER [--sets A B C D] [--levels 4] [--pictures FOLDER]
    python benchmarks/pores.py FOLDER --beside

FOLDER holds the Lee Perry-Smith head (LeePerrySmith.glb and its 4096 x 4096 displacement map). The head is subdivided
to 0.16 mm edges, displaced, and pieces of skin are cut out, several from each scan; `facecom.complete` gives the scan
back with detail, and each piece is read as height maps of 10 x 10 mm at 0.1 mm, made and true. The table says by piece:
relief at wavelengths of 0.3-0.6, 0.6-1.2 and 1.2-2.4 mm, made over true in dB; Rq made / true in micrometres and their
ratio; skewness made / true; shift (mean offset) and shape (its rms within a window) in mm; relief along the rim in dB;
how many hold of three bands within 1.5 dB, Rq within 10 % and skewness of the same sign. `--beside` scores true skin
from around each piece instead: what two samples of one person's skin are worth to each other.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from pore_windows import ABOVE_MM, PIXEL_MM, Array, Figures, Piece, Skin, compared, height_map, relief_of, windows
from pores_adjacent import beside, line
from scipy.ndimage import gaussian_filter, map_coordinates

from facecom.completion import complete
from facecom.completion.types import Report
from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, unit, vertex_normals
from facecom.geometry.subdivision import loop_matrix, midpoint_matrix, split_faces
from facecom.geometry.transform import Similarity, rotation_from_vector

MM_PER_UNIT, UNITS_PER_LEVEL, ZERO_LEVEL = 45.7, 5.35e-4, 127.0

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


# porebench's own three, for `--beside` alone: porebench itself says how they are made.
PORES = (
    Piece("porebench cheek", (-36, -12, -28), 16),
    Piece("porebench nose", (0, 4, -4), 17),
    Piece("porebench forehead", (8, 72, -18), 20),
)


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


def cut(skin: Skin, pieces: tuple[Piece, ...], *, seed: int) -> tuple[Mesh, Similarity]:
    """The head without the pieces in some other pose, and the pose."""
    head = skin.mesh
    gone = np.zeros(len(head.vertices), bool)
    for piece in pieces:
        gone |= np.linalg.norm(head.vertices - skin.centre_of(piece), axis=1) < piece.radius
    touched = np.asarray(gone[head.faces].any(axis=1), bool)
    scan = head.submesh(~touched)[0]
    random = np.random.default_rng(seed)
    turn = rotation_from_vector(unit(random.normal(size=3)) * np.radians(random.uniform(3, 15)))
    pose = Similarity(rotation=turn, translation=random.uniform(-50, 50, 3))
    return scan.with_vertices(pose.apply(scan.vertices)), pose


def compare(made: Mesh, skin: Skin, piece: Piece) -> tuple[Figures, float]:
    """Figures of one piece, and relief along its rim in dB; made mesh and head in the head's frame."""
    centre = skin.centre_of(piece)
    views = skin.views(centre, piece.radius)
    surfaces = Surface(made), Surface(skin.around(centre, piece.radius + 12))
    found = compared(windows(surfaces[0], views), windows(surfaces[1], views))
    if found is None:
        raise ValueError(f"{piece.name}: the detail covers none of its windows")
    return found, _rim(*surfaces, normal=views.normals[0], piece=piece, centre=centre)


def _rim(made: Surface, true: Surface, *, normal: Array, piece: Piece, centre: Array) -> float:
    own, _ = height_map(made, centre, normal, half_mm=piece.radius + 4)
    real, start = height_map(true, centre, normal, half_mm=piece.radius + 4)
    points = start - (ABOVE_MM - np.nan_to_num(real))[..., None] * normal
    distance = np.linalg.norm(points - centre, axis=-1)
    ring = np.isfinite(own) & np.isfinite(real) & (distance < piece.radius + 0.5) & (distance > piece.radius - 2)
    own_square, real_square = (np.nanvar(relief_of(h)[0][ring]) + 1e-12 for h in (own, real))
    return float(10 * np.log10(own_square / real_square))


def make(skin: Skin, pieces: tuple[Piece, ...], *, seed: int) -> tuple[Mesh, Report]:
    """The detail made for a scan without the pieces, in the head's frame, and the report."""
    scan, pose = cut(skin, pieces, seed=seed)
    done = complete(scan, unit="mm", detail="own")
    if done.detail is None:
        raise ValueError(f"no detail was made: {'; '.join(done.report.warnings)}")
    return done.detail.mesh.with_vertices(pose.inverse().apply(done.detail.mesh.vertices)), done.report


def close_up(path: Path, made: Mesh, skin: Skin, piece: Piece) -> None:
    """Made beside true, seen straight on, light from the left."""
    centre = skin.centre_of(piece)
    normal = skin.views(centre, piece.radius).normals[0]
    sides = []
    for mesh in (made, skin.around(centre, piece.radius + 12)):
        height, _ = height_map(Surface(mesh), centre, normal, half_mm=piece.radius + 3)
        sides.append((shaded(height) * np.isfinite(height))[::-1])
    image = need("PIL.Image").fromarray(
        (np.hstack([sides[0], np.ones((len(sides[0]), 6)), sides[1]]) * 255).astype(np.uint8)
    )
    image.resize((2 * image.width, 2 * image.height)).save(path)


def shaded(height: Array, *, shape_mm: float = 2.0) -> Array:
    """Brightness 0..1 of a height map: relief under raking light that follows the shape, on the shape softly lit.

    One raking light for both would leave half of a nose black and the other half white.
    """
    known = np.isfinite(height)
    filled = np.where(known, height, 0.0)
    weight = gaussian_filter(known.astype(float), shape_mm / PIXEL_MM)
    shape = gaussian_filter(filled, shape_mm / PIXEL_MM) / np.maximum(weight, 1e-6)
    light = unit(np.array([-0.9, 0.3, 0.7]))
    raking = _facing(np.where(known, height - shape, 0.0)) @ light / light[2]
    soft = 0.3 + 0.3 * _facing(shape) @ unit(np.array([-0.6, 0.3, 0.7]))
    return np.clip(soft * raking, 0.0, 1.0)


def _facing(height: Array) -> Array:
    """Unit normals of a height map, (H, W, 3)."""
    up, across = np.gradient(height, PIXEL_MM)
    return unit(np.stack([-across, -up, np.ones_like(up)], axis=-1))


def row(name: str, got: Figures, rim: float) -> str:
    """One line of the table."""
    bands = " ".join(f"{b:+5.1f}" for b in got.bands)
    rq, skew = got.rq, got.skew
    return (
        f"{name:18s} {bands}  {rq[0]:5.1f} /{rq[1]:5.1f} {got.ratio:5.2f}  {skew[0]:+.2f} /{skew[1]:+.2f}"
        f"  {got.shift:+.2f} {got.shape:.2f}  {rim:+.1f}  {got.met.sum()}"
    )


def print_beside(skin: Skin, sets: list[str]) -> None:
    """The table of true skin beside each piece."""
    print(f"{'true skin beside':18s}   n  {'0.3':12s} {'0.6':12s} {'1.2':11s} {'Rq':10s}  % met by each          of 5")
    surface, every = Surface(skin.mesh), []
    for piece in [p for name in sets for p in SETS[name]] + list(PORES):
        found = beside(skin, surface, piece)
        every += [np.mean([f.met for f in found], axis=0)] if found and piece not in PORES else []
        print(line(piece.name, found), flush=True)
    print("mean over pieces, % met:", " ".join(f"{100 * m:.0f}" for m in np.mean(every, axis=0)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=sorted(SETS))
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--pictures", type=Path, help="folder for close-ups, made beside true")
    parser.add_argument("--beside", action="store_true", help="score true skin from beside each piece, make nothing")
    chosen = parser.parse_args()
    skin = Skin.of(fine_head(chosen.folder, chosen.levels))
    if chosen.beside:
        return print_beside(skin, chosen.sets)
    print(f"{'piece':18s}  0.3   0.6   1.2   Rq made/true      skew           shift shape  rim dB  met of 5")
    for name in chosen.sets:
        made, report = make(skin, SETS[name], seed=ord(name))
        for piece in SETS[name]:
            try:
                print(row(piece.name, *compare(made, skin, piece)), flush=True)
            except ValueError as error:
                print(error, flush=True)
            if chosen.pictures:
                chosen.pictures.mkdir(parents=True, exist_ok=True)
                close_up(chosen.pictures / f"pores_{piece.name.replace(' ', '_')}.png", made, skin, piece)
        warned = "; ".join(report.warnings) or "no warning"
        print(f"  {sum(report.seconds.values()):.0f} s, detail {report.seconds['detail']:.1f} s; {warned}", flush=True)


if __name__ == "__main__":
    main()
