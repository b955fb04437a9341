"""Colours at a rim that show what the skin inside does not are not carried on; sound ones are, as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.skin.color import fill
from facecom.skin.color.fill import face_colors, fill_colors
from facecom.skin.color.reliability import reliable_colors

SKIN = np.array([0.55, 0.33, 0.22])
HALF = 30.0


def sheet(step: float) -> Mesh:
    at = np.linspace(-HALF, HALF, int(round(2 * HALF / step)) + 1)
    x, y = np.meshgrid(at, at)
    corner = np.arange(x.size).reshape(x.shape)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return Mesh(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1), faces)


def skin(vertices: np.ndarray) -> np.ndarray:
    """Brown, lit from the left, with noise and a dark brow along x that a cut across x crosses."""
    shade = 1.0 - 0.004 * vertices[:, :1] + 0.03 * np.random.default_rng(0).normal(size=(len(vertices), 1))
    brow = np.abs(vertices[:, 1:2] - 10.0) < 3.0
    return SKIN * shade * np.where(brow, 0.4, 1.0)


def scanned(face: Mesh, observed: np.ndarray, colors: np.ndarray) -> Mesh:
    return replace(face, colors=colors).submesh(observed[face.faces].all(1))[0]


@pytest.fixture(scope="module", params=[1.0, 1.25])
def half(request) -> dict[str, np.ndarray | Mesh]:
    """The left of a sheet; as it is, and with a rim at the cut that mixes with a dark background."""
    face = sheet(request.param)
    observed, colors = face.vertices[:, 0] < 0.5, skin(face.vertices)
    mixed = np.clip((face.vertices[:, :1] + 4.0) / 3.0, 0.0, 1.0) * observed[:, None]
    dark = colors * (1 - mixed) + mixed * 0.02
    return {
        "face": face,
        "observed": observed,
        "colors": colors,
        "clean": scanned(face, observed, colors),
        "dark": scanned(face, observed, dark),
        "mixed": mixed[observed, 0],
    }


def test_a_darkened_rim_is_not_carried_on(half):
    """The face is that of the clean scan, up to noise, where it was made and where the rim was dark."""
    made = face_colors(half["dark"], half["face"], observed=half["observed"])
    clean = face_colors(half["clean"], half["face"], observed=half["observed"])
    assert np.abs(made - clean)[~half["observed"]].mean() < 0.03
    dark = half["face"].vertices[:, 0][half["observed"]] > -1.5
    assert np.abs(made - clean)[half["observed"]][dark].mean() < 0.05


def test_darkened_vertices_alone_are_doubted(half):
    sound = reliable_colors(half["dark"])
    plain = np.abs(half["dark"].vertices[:, 1] + 8.0) < 12.0
    assert not sound[plain & (half["mixed"] > 0.8)].any()
    assert sound[half["dark"].vertices[:, 0] < -7.0].mean() > 0.98


def test_a_sound_rim_is_used_as_before_brow_and_all(half, monkeypatch):
    assert reliable_colors(half["clean"]).all()
    made = face_colors(half["clean"], half["face"], observed=half["observed"])
    monkeypatch.setattr(fill, "reliable_colors", lambda scan: np.ones(len(scan.vertices), bool))
    np.testing.assert_array_equal(made, face_colors(half["clean"], half["face"], observed=half["observed"]))
    brow = np.abs(half["face"].vertices[:, 1] - 10.0) < 1.5
    near = ~half["observed"] & (half["face"].vertices[:, 0] < 2.5)
    assert made[near & brow].mean() < 0.75 * made[near & ~brow].mean()


def test_a_patch_is_filled_from_behind_a_darkened_rim_and_shows_the_scan_where_seen(half):
    observed = half["observed"]
    made, clean = (fill_colors(half[scan], half["face"], observed=observed) for scan in ("dark", "clean"))
    assert np.abs(made - clean)[~observed].mean() < 0.03
    assert np.abs(made[observed] - half["dark"].colors).max() < 1e-6


def test_a_shard_that_is_all_rim_is_doubted_with_a_darkened_rim(half):
    face = half["face"]
    shard = (np.abs(face.vertices[:, 0] - 25.0) < 3.0) & (np.abs(face.vertices[:, 1]) < 3.0)
    kept = half["observed"] | shard
    dark = np.full((len(kept), 3), 0.02)
    dark[half["observed"]] = half["dark"].colors
    scan = scanned(face, kept, dark)
    assert not reliable_colors(scan)[scan.vertices[:, 0] > 15.0].any()


def test_nothing_is_doubted_where_there_is_no_inside_to_compare_with():
    small = replace(sheet(2.0), colors=np.random.default_rng(1).uniform(size=(31 * 31, 3)))
    strip = scanned(small, np.abs(small.vertices[:, 0]) < 5.0, small.colors)
    assert reliable_colors(strip).all()


def test_a_scan_without_colours_cannot_be_judged():
    with pytest.raises(ValueError, match="no colours"):
        reliable_colors(sheet(2.0))
