"""Draw the template's levels, regions and uv map: python -m training.draw_template docs/images/template.png"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, unit, vertex_normals
from facecom.model.template import Template

COLOURS = {
    "skin": (0.93, 0.82, 0.74),
    "nose": (0.90, 0.62, 0.50),
    "l_eye": (0.35, 0.55, 0.95),
    "r_eye": (0.35, 0.80, 0.90),
    "l_brow": (0.45, 0.32, 0.22),
    "r_brow": (0.62, 0.45, 0.30),
    "l_ear": (0.95, 0.75, 0.30),
    "r_ear": (0.85, 0.85, 0.35),
    "mouth": (0.25, 0.05, 0.10),
    "u_lip": (0.88, 0.38, 0.45),
    "l_lip": (0.75, 0.22, 0.35),
    "neck": (0.62, 0.82, 0.62),
    "scalp": (0.66, 0.66, 0.82),
    "eyelids": (0.80, 0.58, 0.88),
    "nostrils": (0.20, 0.15, 0.15),
}
LIGHT = unit(np.array([0.3, 0.5, 0.8]))
VIEWS = (  # yaw and pitch in degrees, centre and half width in mm
    (0, 0, (0, 13, -65), 130),
    (-45, 0, (0, 13, -65), 130),
    (-90, 0, (0, 13, -65), 130),
    (-15, 0, (31, 31, -40), 27),
    (-25, -15, (4, -25, -20), 38),
    (-105, 10, (80, 12, -137), 40),
)


def picture(
    mesh: Mesh, view: tuple[float, float, tuple[float, ...], float], size: int, colours: np.ndarray, edges: bool
) -> np.ndarray:
    """Orthographic shaded picture (size, size, 3) of a mesh with a colour for each vertex."""
    yaw, pitch = np.radians(view[:2])
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(pitch), np.sin(pitch)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ turn
    vertices = (mesh.vertices - np.array(view[2])) @ turn.T
    across = np.linspace(-view[3], view[3], size)
    x, y = np.meshgrid(across, -across)
    start = np.stack([x, y, np.full_like(x, 500.0)], -1).reshape(-1, 3)
    hits = Surface(Mesh(vertices, mesh.faces)).cast(start, np.array([0.0, 0.0, -1.0]))
    seen = hits.faces >= 0
    corners, weights = mesh.faces[hits.faces[seen]], hits.barycentric[seen]
    normal = unit(np.einsum("nk,nkd->nd", weights, vertex_normals(vertices, mesh.faces)[corners]))
    shade = 0.25 + 0.75 * np.clip(normal @ LIGHT, 0, 1)
    if edges:
        shade = np.where(weights.min(1) < 0.06, 0.5 * shade, shade)
    out = np.ones((size * size, 3))
    out[seen] = shade[:, None] * np.einsum("nk,nkd->nd", weights, colours[corners])
    return (255 * np.clip(out, 0, 1)).astype(np.uint8).reshape(size, size, 3)


def sheet(template: Template, *, size: int) -> np.ndarray:
    """A row for each level with its edges, one for the finest surface, one for regions, landmarks and uv."""
    colours = np.array([COLOURS[name] for name in template.region_names])[template.region]
    for name, mask in template.masks.items():
        colours[mask] = COLOURS[name]
    grey = np.full_like(colours, 0.9)
    rows = []
    for level in range(3):
        mesh = template.mesh(level)
        rows.append([picture(mesh, view, size, grey[: len(mesh.vertices)], True) for view in VIEWS])
    finest = template.mesh()
    rows.append([picture(finest, view, size, grey, False) for view in VIEWS])
    marked = colours.copy()
    for index in template.landmarks.values():
        marked[np.linalg.norm(finest.vertices - finest.vertices[index], axis=1) < 1.1] = (0.1, 0.1, 0.9)
    flat = Mesh(np.c_[template.uv, np.zeros(len(template.uv))], finest.faces)
    last = [picture(finest, view, size, marked, False) for view in VIEWS[:5]]
    rows.append([*last, picture(flat, (0, 0, (0.5, 0.5, 0.0), 0.5), size, colours, False)])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description="Draw the template.")
    parser.add_argument("image", type=Path, help="PNG to write")
    parser.add_argument("--template", type=Path, help="folder of the template; the shipped one by default")
    parser.add_argument("--size", type=int, default=300, help="pixels of one view")
    arguments = parser.parse_args()
    arguments.image.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(sheet(Template.load(arguments.template), size=arguments.size))
    image.quantize(128).save(arguments.image, optimize=True)


if __name__ == "__main__":
    main()
