"""Why a hole gets no relief, told before anything is made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.skin.hole_detail import infeasibility_reason
from facecom.skin.relief_synthesis import FaceAttributes
from facecom.skin.types import DetailSettings

SETTINGS = DetailSettings(max_wavelength_mm=3.5)


@pytest.fixture(scope="module")
def reason(grid):
    """The reason for a round hole in a sheet whose scan has a spacing and roughness."""
    vertices, faces = grid(14.0, 1.0)
    face = Mesh(vertices, faces)
    missing = np.linalg.norm(vertices[:, :2], axis=1) < 3.0

    def of(spacing: float, rough_mm: float, *, white=False, observed=None, region=None, settings=SETTINGS) -> str:
        fine, fine_faces = grid(14.0, spacing)
        side = int(round(np.sqrt(len(fine))))
        noise = gaussian_filter(np.random.default_rng(0).normal(size=(side, side)), 0.0 if white else 0.25 / spacing)
        fine[:, 2] = rough_mm * (noise / noise.std()).ravel()
        gone = np.linalg.norm(fine[:, :2], axis=1) < 3.0
        surface = Surface(Mesh(fine, fine_faces[~gone[fine_faces].any(1)]))
        shown = ~missing if observed is None else observed
        attributes = FaceAttributes(shown, None, region)
        return infeasibility_reason(surface, face, missing, attributes=attributes, settings=settings)

    of.missing = missing
    return of


def test_fine_rough_skin_is_no_problem(reason):
    assert reason(0.2, 0.02) == ""


@pytest.mark.parametrize(
    ("spacing", "rough_mm", "change", "words"),
    [
        (2.0, 0.02, {}, "spacing is 2.15 mm and relief needs"),
        (0.2, 0.02, {"largest_mm2": 10.0}, "mm² of skin are missing, more than 10"),
        (0.2, 0.02, {"source_mm": 0.5}, "no skin is observed around"),
    ],
    ids=["too coarse", "too large", "nothing near"],
)
def test_the_reason_names_what_is_in_the_way(reason, spacing, rough_mm, change, words):
    settings = replace(SETTINGS, **change)
    assert words in reason(spacing, rough_mm, settings=settings)
    if "largest_mm2" not in change:
        assert reason(spacing, rough_mm, settings=replace(settings, mode="synthetic")) == ""


def test_white_noise_is_no_skin(reason):
    assert "and its noise" in reason(0.3, 0.05, white=True)


def test_skin_is_taken_from_the_regions_of_the_hole_alone(reason):
    elsewhere = np.where(reason.missing, 0, 1)
    assert "no skin is observed around" in reason(0.2, 0.02, region=elsewhere)
    assert reason(0.2, 0.02, region=np.zeros_like(elsewhere)) == ""
