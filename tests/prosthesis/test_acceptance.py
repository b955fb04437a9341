"""Parts that nobody could wear are refused with the reason."""

from types import SimpleNamespace

import pytest

from facecom.errors import ScanError
from facecom.prosthesis import DesignSettings
from facecom.prosthesis.acceptance import refuse_unwearable, scanned_share, scanned_warnings


@pytest.fixture
def source(built):
    merged = built.skin.merged
    return SimpleNamespace(merged=merged, tissue=merged.submesh(~built.skin.in_patch)[0])


def test_a_part_over_scanned_skin_that_is_large_enough_is_made(source, built):
    cm3 = built.shell.solid.volume() / 1000.0
    assert scanned_share(source, built.shell.outer) == pytest.approx(1.0)
    refuse_unwearable(source, built.shell, DesignSettings(least_cm3=0.99 * cm3))
    with pytest.raises(ScanError, match=r"less than .* cm3: too little is missing .* lower `least_cm3`"):
        refuse_unwearable(source, built.shell, DesignSettings(least_cm3=1.01 * cm3))


def test_a_part_over_skin_that_nobody_scanned_is_refused(source, built):
    scan = source.tissue
    half = SimpleNamespace(merged=source.merged, tissue=scan.submesh(scan.vertices[scan.faces].mean(1)[:, 0] > 0)[0])
    rest = SimpleNamespace(merged=source.merged, tissue=scan.submesh(scan.vertices[scan.faces].mean(1)[:, 0] > 9)[0])
    assert 0.4 < scanned_share(half, built.shell.outer) < 0.65 and 0.1 < scanned_share(rest, built.shell.outer) < 0.4
    with pytest.raises(ScanError, match="nobody knows what it would lie on; scan wider"):
        refuse_unwearable(rest, built.shell, DesignSettings(least_cm3=0.0))
    refuse_unwearable(rest, built.shell, DesignSettings(least_cm3=0.0, least_scanned=0.0))
    assert scanned_warnings(source, built.shell.outer) == []
    assert "% of the part's margin; the rest lies on" in scanned_warnings(half, built.shell.outer)[0]
