"""Principal modes hold the variance of the faces, and most of it where the weights say so."""

import numpy as np
import pytest

from facecom.model.augmentation import augmented_faces
from facecom.model.face_region import face_weights
from facecom.model.linear.generator import LinearGenerator
from facecom.model.principal_modes import principal_modes


def test_principal_modes_hold_the_variance_of_the_faces(curved_faces):
    modes = principal_modes(curved_faces, curved_faces.mean(0), count=2)
    np.testing.assert_allclose((modes**2).sum(), curved_faces.var(axis=0, dtype=float).sum(), rtol=1e-4)
    with pytest.raises(ValueError, match="more than"):
        principal_modes(curved_faces, curved_faces.mean(0), count=24)
    with pytest.raises(ValueError, match="directions"):
        principal_modes(np.repeat(curved_faces[:2], 5, axis=0), curved_faces.mean(0), count=4)


def test_weighted_modes_lose_less_where_it_counts(template):
    face = template.vertices[: template.counts[2]]
    faces = augmented_faces(LinearGenerator.load(), 24, seed=2)
    mean, weights = faces.mean(axis=0), face_weights(template, outer=0.05)
    assert weights.mean() == pytest.approx(1.0)
    behind, nose = face[:, 2] < -95.0, template.region_mask("nose", 2)
    np.testing.assert_allclose(weights[behind], 0.05 * weights[nose].mean())

    def lost(modes, count_as):
        flat, root = modes.reshape(len(modes), -1).astype(float), np.repeat(np.sqrt(count_as), 3)
        offsets = (faces - mean).reshape(len(faces), -1).astype(float) * root
        share = np.linalg.lstsq((flat * root).T, offsets.T, rcond=None)[0]
        return np.mean((offsets.T - (flat * root).T @ share) ** 2)

    plain, weighted = (principal_modes(faces, mean, count=6, weights=w) for w in (None, weights))
    assert lost(weighted, weights) < lost(plain, weights)
    assert lost(plain, np.ones_like(weights)) < lost(weighted, np.ones_like(weights))
