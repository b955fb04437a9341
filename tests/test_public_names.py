import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facecom

HEAVY = ("torch", "open3d", "trimesh", "diffusers", "transformers", "scipy", "matplotlib", "PIL", "numpy")


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, facecom; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", facecom.__all__)
def test_every_public_name_can_be_had(name):
    value = getattr(facecom, name)
    assert getattr(value, "__doc__", None), f"{name} has no docstring"
    assert name in dir(facecom)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(facecom.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {(alias.asname, node.module) for node in block.body for alias in node.names}
    assert seen == set(facecom._HOME.items())


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'complet'"):
        _ = facecom.complet
