"""HTML elements escape text and load nothing."""

import pytest

from facecom.report.html_elements import link, picture, tag


def test_elements_refuse_what_would_load_something():
    with pytest.raises(ValueError, match="https"):
        link("x", "javascript:alert(1)")
    with pytest.raises(ValueError, match="embedded"):
        picture("https://example.org/a.png", "x")
    assert tag("p", "<i>") == "<p>&lt;i&gt;</p>"
