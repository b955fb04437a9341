"""Colour of a patch: the scan's own where observed, like the skin around elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecom.geometry.mesh import Mesh
from facecom.skin.color.fill import colored_throughout, face_colors, fill_colors

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
    observed = np.linalg.norm(patch, axis=1) > RADIUS + 0.3
    out = fill_colors(scan, Mesh(patch, patch_faces), observed=observed, seed=1)
    return {"out": out, "observed": observed, "patch": patch, "colors": colors, "vertices": vertices, "scan": scan}


def test_seen_colour_is_the_scans(filled):
    at = [np.linalg.norm(filled["vertices"] - p, axis=1).argmin() for p in filled["patch"][filled["observed"]]]
    assert np.abs(filled["out"][filled["observed"]] - filled["colors"][at]).max() < 1e-6


def test_made_colour_keeps_the_gradient_the_spots_and_their_hue(filled):
    made, x = filled["out"][~filled["observed"]], filled["patch"][~filled["observed"]][:, :1]
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
        fill_colors(bare, bare, observed=np.ones(len(bare.vertices), bool))
    with pytest.raises(ValueError, match="observed has shape"):
        fill_colors(filled["scan"], bare, observed=np.ones(3, bool))


def test_a_vertex_without_colour_takes_the_nearest_and_spoils_nothing(filled, half):
    scan, patch = filled["scan"], filled["patch"]
    colors = scan.colors.copy()
    colors[np.linalg.norm(scan.vertices, axis=1).argmin()] = np.nan  # at the rim
    _, faces, _ = sheet(0.2, 5.0)
    made = fill_colors(replace(scan, colors=colors), Mesh(patch, faces), observed=filled["observed"], seed=1)
    assert np.isfinite(made).all()
    assert np.abs(made - filled["out"])[filled["observed"]].max() < 0.2
    assert np.abs(made - filled["out"]).mean() < 0.02
    colors = half["scan"].colors.copy()
    colors[half["scan"].vertices[:, 0].argmax()] = np.nan
    face = face_colors(replace(half["scan"], colors=colors), half["face"], observed=half["observed"])
    assert np.isfinite(face).all() and face.min() > 0.1


def test_a_scan_whose_colours_are_all_missing_has_none(half):
    blank = replace(half["scan"], colors=np.full_like(half["scan"].colors, np.nan))
    assert colored_throughout(blank).colors is None
    with pytest.raises(ValueError, match="no colours"):
        face_colors(blank, half["face"], observed=half["observed"])


def test_a_coarse_scan_gets_broad_colour_alone(filled):
    coarse, faces, _ = sheet(1.0, HALF)
    gone = np.linalg.norm(coarse, axis=1) < RADIUS
    spots = np.random.default_rng(2).normal(size=(len(coarse), 1)) * [[0.1, 0.1, 0.1]]
    scan, _ = Mesh(coarse, faces, colors=np.clip(0.5 + spots, 0, 1)).submesh(~gone[faces].any(1))
    patch, patch_faces, _ = sheet(0.5, 5.0)
    observed = np.linalg.norm(patch, axis=1) > RADIUS + 1.0
    made = fill_colors(scan, Mesh(patch, patch_faces), observed=observed, seed=1)[~observed]
    assert np.abs(made - 0.5).max() < 0.15
    assert made.std(0).max() < 0.03


@pytest.fixture(scope="module")
def half() -> dict[str, np.ndarray | Mesh]:
    """A sheet whose right side is gone; a dark brow crosses both, the light falls off to the right."""
    vertices, faces, side = sheet(0.5, HALF)
    brow = ((np.abs(vertices[:, 1] - 4) < 1) & (np.abs(np.abs(vertices[:, 0]) - 5) < 2)).astype(float)
    colors = np.clip(0.7 - 0.01 * vertices[:, :1] - 0.4 * brow[:, None], 0, 1) * [1.0, 0.8, 0.7]
    observed = vertices[:, 0] < 1.0
    mirror = np.arange(len(vertices)).reshape(side, side)[:, ::-1].ravel()
    scan, _ = Mesh(vertices, faces, colors=colors).submesh(observed[faces].all(1))
    return {"scan": scan, "face": Mesh(vertices, faces), "observed": observed, "mirror": mirror, "brow": brow > 0}


def test_the_other_sides_brow_is_laid_on(half):
    out = face_colors(half["scan"], half["face"], observed=half["observed"], mirror=half["mirror"])
    far = half["face"].vertices[:, 0] > 1.5
    assert out[far & half["brow"], 0].mean() < out[far & ~half["brow"], 0].mean() - 0.3
    even = face_colors(half["scan"], half["face"], observed=half["observed"])
    assert abs(even[far & half["brow"], 0].mean() - even[far & ~half["brow"], 0].mean()) < 0.05


def test_colour_of_a_face_meets_what_was_measured(half):
    out = face_colors(half["scan"], half["face"], observed=half["observed"], mirror=half["mirror"])
    edges = np.concatenate([half["face"].faces[:, [0, 1]], half["face"].faces[:, [1, 2]]])
    across = edges[half["observed"][edges[:, 0]] != half["observed"][edges[:, 1]]]
    assert np.abs(out[across[:, 0]] - out[across[:, 1]]).max() < 0.03
    assert np.abs(out[half["observed"]] - half["scan"].colors).max() < 1e-6


def test_a_face_without_colour_or_measured_skin_is_refused(half):
    with pytest.raises(ValueError, match="no colours"):
        face_colors(half["face"], half["face"], observed=half["observed"])
    with pytest.raises(ValueError, match="0 set"):
        face_colors(half["scan"], half["face"], observed=np.zeros_like(half["observed"]))
