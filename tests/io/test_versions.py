"""Versions of packages."""

from importlib.metadata import version

from facecom.io.versions import package_versions


def test_versions_come_in_the_order_asked_for_and_absent_packages_are_left_out():
    found = package_versions("scipy", "no-such-package-here", "numpy")
    assert list(found.items()) == [("scipy", version("scipy")), ("numpy", version("numpy"))]
    assert package_versions() == {}
