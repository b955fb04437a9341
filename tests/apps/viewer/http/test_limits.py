"""Limits of a server."""

import pytest

from facecom.apps.viewer.http.limits import Limits


def test_limits_are_positive():
    with pytest.raises(ValueError, match="sessions"):
        Limits(sessions=0)
