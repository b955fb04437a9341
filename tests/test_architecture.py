"""The layout of docs/architecture.md, kept by a test: who may import whom, and what no module may do."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "facecom").rglob("*.py"))
HEAVY = {"torch", "open3d", "trimesh", "diffusers", "transformers", "pytorch3d", "accelerate", "ray", "viser"}


def lint_imports(folder: Path) -> subprocess.CompletedProcess:
    """Run the contracts of `folder`/setup.cfg over the package `folder`/facecom."""
    code = (
        "import sys; from importlinter.application.use_cases import lint_imports as run;"
        "from importlinter.configuration import configure; configure();"
        "sys.exit(not run(config_filename='setup.cfg', cache_dir=None))"
    )
    # A folder of its own comes before an installed package, whichever way that was installed.
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path) -> Path:
    shutil.copytree(ROOT / "facecom", tmp_path / "facecom", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    return tmp_path


def test_the_imports_keep_the_contracts():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("geometry/mesh.py", "from facecom.scan import files"),
        ("scan/intruder.py", "import facecom.model"),
        ("stitching/intruder.py", "def f():\n    from facecom import fitting"),
        ("evaluation/intruder.py", "import facecom.scan"),
        ("evaluation/intruder.py", "def f():\n    import torch"),
        ("model/intruder.py", "import facecom.evaluation"),
        ("errors.py", "from facecom.geometry import mesh"),
        ("stray.py", "X = 1"),
    ],
)
def test_an_import_against_the_layers_is_found(copy, module, line):
    path = copy / "facecom" / module
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode != 0
    assert "BROKEN" in done.stdout, done.stdout + done.stderr


def test_the_copy_without_intruder_keeps_the_contracts(copy):
    assert lint_imports(copy).returncode == 0


def top_level_imports(tree: ast.Module) -> set[str]:
    """Packages that importing the module brings in: imports outside functions and outside `if TYPE_CHECKING`."""
    found: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        todo += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("folder", ["geometry", "io", "scan", "evaluation"])
def test_what_needs_no_network_loads_no_heavy_package(folder):
    for path in (ROOT / "facecom" / folder).rglob("*.py"):
        assert not top_level_imports(ast.parse(path.read_text())) & HEAVY, path


def calls(tree: ast.Module) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_no_module_unpickles_or_runs_text():
    assert MODULES
    for path in MODULES:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                safe = [k for k in node.keywords if k.arg == "weights_only" and getattr(k.value, "value", 0) is True]
                assert safe, f"{path}:{node.lineno}: torch.load without weights_only=True"
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert getattr(node.value, "value", None) is False, f"{path}:{node.lineno}"
        assert not {"eval", "exec"} & set(calls(tree)), path


def test_the_contracts_name_every_folder_of_the_design():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    layers = config["importlinter:contract:layers"]["layers"]
    named = set(layers.replace("|", " ").replace("(", " ").replace(")", " ").split())
    there = {p.stem for p in (ROOT / "facecom").glob("*.py")} | {
        p.parent.name for p in (ROOT / "facecom").glob("*/*.py")
    }
    assert there - {"__init__"} <= named


def test_completing_a_scan_needs_no_extra():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    required = {re.split("[<>=]", line)[0] for line in config["options"]["install_requires"].split()}
    required = {{"pillow": "PIL"}.get(name, name) for name in required}
    job = (
        "geometry",
        "io",
        "scan",
        "model",
        "fitting",
        "projection",
        "stitching",
        "skin",
        "completion",
        "commands",
        "evaluation",
    )
    for path in MODULES:
        part = path.relative_to(ROOT / "facecom").parts
        if part[0] in job and "adapters" not in part:
            foreign = top_level_imports(ast.parse(path.read_text())) - set(sys.stdlib_module_names) - {"facecom"}
            assert foreign <= required, f"{path}: {sorted(foreign - required)} not in install_requires"


def test_no_module_is_in_a_circle():
    """Imports inside functions and under TYPE_CHECKING count: two modules that know each other are one."""
    graph = grimp.build_graph("facecom", include_external_packages=False, cache_dir=None)
    modules = sorted(graph.modules)
    place = {name: k for k, name in enumerate(modules)}
    arrows = [(place[a], place[b]) for a in modules for b in graph.find_modules_directly_imported_by(a)]
    rows, columns = zip(*arrows, strict=True)
    links = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(modules),) * 2)
    _, label = connected_components(links, directed=True, connection="strong")
    circles = [[m for m in modules if label[place[m]] == k] for k in np.flatnonzero(np.bincount(label) > 1)]
    assert circles == []
