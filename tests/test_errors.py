"""The package's own errors, and the import that says what to install."""

import json

import pytest

from facecom import errors
from facecom.errors import FacecomError, MissingDependency, need


def test_every_error_is_caught_as_one():
    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(own) == 6
    assert all(issubclass(kind, FacecomError) for kind in own)


def test_what_is_installed_is_the_module_itself():
    assert need("json") is json
    assert need("os.path").join("a", "b") == "a/b"


@pytest.mark.parametrize(
    ("extra", "advice"), [("viewer", r"pip install 'facecom\[viewer\]'"), (None, "pip install 'no_such_package'")]
)
def test_what_is_not_installed_is_named_with_what_to_type(extra, advice):
    with pytest.raises(MissingDependency, match=advice) as caught:
        need("no_such_package", extra=extra)
    assert str(caught.value).startswith("no_such_package is needed")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_missing_part_of_an_installed_package_is_named():
    with pytest.raises(MissingDependency, match=r"json\.no_such_part is needed"):
        need("json.no_such_part")
