"""The measures of a part."""

from dataclasses import asdict

import numpy as np
import pytest

from facecom.prosthesis.inspection import Spread
from facecom.provenance import Provenance


@pytest.mark.slow
def test_the_figures_say_what_the_part_is(part):
    i = part.inspection
    assert i.watertight and i.self_intersecting_edges == 0 and i.overlap_mm3 < 1e-6
    assert i.check.tissue.tissue_overlap_mm3 < 1.0 and i.check.tissue.withdrawal_overlap_mm3 < 1.0
    assert i.check.volume_mm3 == pytest.approx(i.volume_mm3, rel=1e-4)
    assert i.mass_g == pytest.approx(i.volume_mm3 * 1.1e-3)
    assert i.edge.min >= 0.3 and i.wall.median == pytest.approx(3.0, abs=0.15)
    assert sum(i.shares.values()) == pytest.approx(1.0) and i.shares["model"] > 0.5 and i.shares["mirrored"] == 0
    assert i.clearance.median == pytest.approx(0.1, abs=0.06) and i.step.median == pytest.approx(0.4, abs=0.12)
    assert i.sigma_mm.max == pytest.approx(0.8)
    assert "not a medical device" in i.notice
    assert set(np.unique(part.provenance)) <= {-1, Provenance.OBSERVED, Provenance.MODEL}
    assert np.array_equal(np.isnan(part.sigma_mm), part.provenance < 0)


def test_a_spread_is_least_middle_and_greatest():
    assert Spread.of(np.array([4.0, 1.0, 2.0, 3.0])) == Spread(1.0, 2.5, 4.0)
    assert np.isnan(list(asdict(Spread.of(np.zeros(0))).values())).all()
