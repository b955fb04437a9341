"""Strength of the skin relief by region."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.provenance import Provenance
from facecom.report.display_data import DisplayData
from facecom.report.relief import relief_by_region


def test_relief_by_region(completion):
    """Nose: synthesised twice as strong as observed, 6 dB; skin: no relief was observed; over all: what there is."""
    data = DisplayData(completion)
    nose = completion.template.region_mask("nose")
    face, rng = data.face, np.random.default_rng(0)
    x, y, z = face.vertices.T
    cheek = (np.hypot(x - 45, y + 15) < 16) & (z > -60)
    points = np.concatenate([np.flatnonzero(nose), np.flatnonzero(nose), np.flatnonzero(cheek)])
    count, kind = nose.sum(), np.full(len(points), Provenance.SYNTHESISED)
    kind[:count] = Provenance.OBSERVED
    height = rng.normal(size=len(points)) * np.where(kind == Provenance.OBSERVED, 0.01, 0.02)
    nothing = np.zeros((0, 3), int)
    smooth = Mesh(face.vertices[points], nothing)
    skin = SimpleNamespace(
        smooth=smooth, mesh=smooth, displacement=height + 1.0, base_offset=np.ones(len(points)), provenance=kind
    )
    found = relief_by_region(DisplayData(replace(completion, state=replace(completion.state, detail=skin))))
    assert set(found) == {"all", "nose", "skin"}
    assert found["nose"].decibel == pytest.approx(6.0, abs=0.5)
    assert found["nose"].observed_mm == pytest.approx(0.01, rel=0.1)
    assert np.isnan(found["skin"].decibel) and found["skin"].text == "nothing to compare"
    assert relief_by_region(data) == {}
