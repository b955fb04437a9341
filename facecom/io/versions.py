"""Versions of the packages that took part in a result."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_versions(*packages: str) -> dict[str, str]:
    """The installed versions of some packages, in the order given; what is not installed is left out.

    Examples
    --------
    >>> list(package_versions("numpy", "no-such-package"))
    ['numpy']
    """
    out = {}
    for package in packages:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out
