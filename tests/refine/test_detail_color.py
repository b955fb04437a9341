"""Colour of a patch: the scan's own where seen, like the skin around elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecom.geometry.mesh import Mesh
from facecom.refine.color import fill_color

HALF, RADIUS = 10.0, 3.0


def sheet(step: float, half: float) -> tuple[np.ndarray, np.ndarray, int]:
    at = np.linspace(-half, half, int(round(2 * half / step)) + 1)
    x, y = np.meshgrid(at, at)
    corner = np.arange(x.size).reshape(x.shape)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1), faces, len(at)


@pytest.fixture(scope="module")
def filled() -> dict[str, np.ndarray]:
    vertices, faces, side = sheet(0.2, HALF)
    spots = gaussian_filter(np.random.default_rng(0).normal(size=(side, side)), 1.2).ravel()
    colors = np.array([0.7, 0.5, 0.4]) + 0.01 * vertices[:, :1] + 0.3 * spots[:, None] * [1.0, 0.6, 0.3]
    gone = np.linalg.norm(vertices, axis=1) < RADIUS
    scan, _ = Mesh(vertices, faces, colors=colors).submesh(~gone[faces].any(1))
    patch, patch_faces, _ = sheet(0.2, 5.0)
    seen = np.linalg.norm(patch, axis=1) > RADIUS + 0.3
    out = fill_color(scan, Mesh(patch, patch_faces), seen=seen, seed=1)
    return {"out": out, "seen": seen, "patch": patch, "colors": colors, "vertices": vertices, "scan": scan}


def test_seen_colour_is_the_scans(filled):
    at = [np.linalg.norm(filled["vertices"] - p, axis=1).argmin() for p in filled["patch"][filled["seen"]]]
    assert np.abs(filled["out"][filled["seen"]] - filled["colors"][at]).max() < 1e-6


def test_made_colour_keeps_the_gradient_the_spots_and_their_hue(filled):
    made, x = filled["out"][~filled["seen"]], filled["patch"][~filled["seen"]][:, :1]
    base = np.array([0.7, 0.5, 0.4]) + 0.01 * x
    assert np.abs((made - base).mean(0)).max() < 0.03
    around = np.linalg.norm(filled["vertices"], axis=1) > RADIUS
    true = (filled["colors"] - 0.01 * filled["vertices"][:, :1])[around]
    assert np.abs(np.log((made - base).std(0) / true.std(0))).max() < 0.35
    red, green = (made - base)[:, 0], (made - base)[:, 1]
    assert np.corrcoef(red, green)[0, 1] > 0.95


def test_scans_without_colour_are_refused(filled):
    bare = Mesh(filled["scan"].vertices, filled["scan"].faces)
    with pytest.raises(ValueError, match="no colours"):
        fill_color(bare, bare, seen=np.ones(len(bare.vertices), bool))
    with pytest.raises(ValueError, match="seen has shape"):
        fill_color(filled["scan"], bare, seen=np.ones(3, bool))
