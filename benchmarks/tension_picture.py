"""The tension lines that skin detail falls back to, drawn on the mean face.

python benchmarks/tension_picture.py PICTURE
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, unit, vertex_normals
from facecom.model.template import FIT_LEVEL, Template
from facecom.model.tension_lines import compression_tensor

PIXEL_MM, LONGEST_MM, SIDE_MM = 0.5, 6.0, (-80.0, 80.0, -85.0, 95.0)


def draw(path: Path) -> None:
    """Front and oblique view; lines run along wrinkles, their length is the coherence."""
    plt, collections = need("matplotlib.pyplot"), need("matplotlib.collections")
    template = Template.load()
    figure, axes = plt.subplots(1, 2, figsize=(16, 9.5))
    for axis, angle in zip(axes, (0.0, 40.0), strict=True):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turned = template.vertices @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]).T
        lines, coherence = _lines(template, np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]))
        depth = _depth(Mesh(turned, template.faces[3]))
        down, across = np.gradient(depth, -PIXEL_MM, PIXEL_MM)
        shade = unit(np.stack([-across, -down, np.ones_like(depth)], axis=-1)) @ unit(np.array([-0.4, 0.5, 0.8]))
        axis.imshow(np.nan_to_num(0.25 + 0.75 * np.clip(shade, 0, 1), nan=1.0), cmap="gray", vmin=0, extent=SIDE_MM)
        middle = lines.mean(axis=1)
        row = np.clip(((SIDE_MM[3] - middle[:, 1]) / PIXEL_MM).astype(int), 0, len(depth) - 1)
        column = np.clip(((middle[:, 0] - SIDE_MM[0]) / PIXEL_MM).astype(int), 0, depth.shape[1] - 1)
        inside = (np.abs(lines[..., 0]) < SIDE_MM[1]) & (lines[..., 1] > SIDE_MM[2]) & (lines[..., 1] < SIDE_MM[3])
        seen = inside.all(axis=1) & (np.abs(depth[row, column] - middle[:, 2]) < 2.0)
        colors = plt.cm.plasma(coherence[seen])
        axis.add_collection(collections.LineCollection(lines[seen][..., :2], colors=colors, linewidths=1.6))
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(path, dpi=60)


def _lines(template: Template, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends (V1, 2, 3) of a line at each vertex in the turned frame, and the coherence (V1,)."""
    count = template.counts[FIT_LEVEL]
    value, vector = np.linalg.eigh(compression_tensor(template)[:count])
    coherence = (value[:, 2] - value[:, 1]) / (value[:, 2] + value[:, 1])
    place = template.vertices[:count]
    along = np.cross(vertex_normals(place, template.faces[FIT_LEVEL]), vector[:, :, 2])
    half = 0.5 * LONGEST_MM * coherence[:, None] * along
    return np.stack([place - half, place + half], axis=1) @ turn.T, coherence


def _depth(mesh: Mesh) -> np.ndarray:
    x = np.arange(SIDE_MM[0], SIDE_MM[1], PIXEL_MM)
    y = np.arange(SIDE_MM[2], SIDE_MM[3], PIXEL_MM)[::-1]
    across, up = np.meshgrid(x, y)
    start = np.stack([across, up, np.full_like(across, 200.0)], axis=-1)
    depth = Surface(mesh).cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape)).depth
    return np.where(np.isfinite(depth), 200.0 - depth, np.nan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    draw(parser.parse_args().picture)
