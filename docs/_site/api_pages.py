"""Pages of the API reference, written at each build from what the package holds: a page a package."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "facecom"
FOLDER = "api"


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before Sphinx looks for sources."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / FOLDER))
    return {"parallel_read_safe": True}


def write_pages(folder: Path) -> None:
    """Write index.rst, a page for the names of the package itself, and one for each package below it."""
    top = import_module(PACKAGE)
    public = {f"{value.__module__}.{name}": name for name, value in public_names(top).items()}
    pages = {PACKAGE: top_page(top)}
    for info in sorted(pkgutil.iter_modules(top.__path__), key=lambda info: info.name):
        name = f"{PACKAGE}.{info.name}"
        if not info.name.startswith("_"):
            pages[name] = package_page(import_module(name), public)
    pages["index"] = index_page([name for name in pages if name != PACKAGE])
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        write_changed(folder / f"{name}.rst", text)


def write_changed(path: Path, text: str) -> None:
    """Write a file unless it holds the text already: Sphinx reads what is newer than its cache."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def public_names(top: ModuleType) -> dict[str, Any]:
    """What `from facecom import *` would give, without `__version__`."""
    return {name: getattr(top, name) for name in top.__all__ if not name.startswith("__")}


def index_page(packages: Iterable[str]) -> str:
    """The front of the reference: the public names first, then the packages."""
    lines = [
        *heading("API reference", "="),
        "Everything here is generated from the docstrings. :doc:`facecom <facecom>` holds the names that a script or a",
        "notebook needs; the packages below it hold the stages, for those who replace or reuse one of them.",
        "",
        ".. toctree::",
        "   :maxdepth: 1",
        "",
        *(f"   {name}" for name in (PACKAGE, *packages)),
    ]
    return "\n".join(lines) + "\n"


def top_page(top: ModuleType) -> str:
    """The public names in groups, each group with a table of what it holds."""
    groups: dict[str, list[str]] = {"Functions": [], "Values": [], "Settings": [], "Errors": []}
    for name, value in public_names(top).items():
        groups[kind_of(name, value)].append(name)
    lines = [*heading(PACKAGE, "="), f".. automodule:: {PACKAGE}", "   :no-members:", ""]
    for title, names in groups.items():
        if names:
            lines += [*heading(title, "-"), ".. autosummary::", "   :nosignatures:", ""]
            lines += [*(f"   {name}" for name in sorted(names)), ""]
            for name in sorted(names):
                lines += directive(f"{PACKAGE}.{name}", public_names(top)[name])
    return "\n".join(lines)


def kind_of(name: str, value: Any) -> str:
    """Which group of the first page a public name belongs to."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return "Errors"
    if name.endswith("Settings"):
        return "Settings"
    return "Values" if inspect.isclass(value) else "Functions"


def directive(name: str, value: Any) -> list[str]:
    """The lines that document one name."""
    if inspect.isclass(value):
        return [f".. autoclass:: {name}", "   :members:", "   :show-inheritance:", ""]
    return [f".. {'autofunction' if callable(value) else 'autodata'}:: {name}", ""]


def package_page(package: ModuleType, public: dict[str, str]) -> str:
    """A package's docstring and all of its public modules; names of `facecom` itself are documented there."""
    lines = [*heading(package.__name__, "="), *module_lines(package, public, members=not is_package(package))]
    for module in modules(package):
        lines += heading(module.__name__.removeprefix(f"{PACKAGE}."), "-")
        lines += module_lines(module, public, members=not is_package(module))
    return "\n".join(lines)


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The public modules of a package and of the packages in it, by name."""
    if is_package(package):
        for info in sorted(pkgutil.walk_packages(package.__path__, f"{package.__name__}."), key=lambda i: i.name):
            if not any(part.startswith("_") for part in info.name.split(".")):
                yield import_module(info.name)


def is_package(module: ModuleType) -> bool:
    """Whether a module holds others."""
    return hasattr(module, "__path__")


def module_lines(module: ModuleType, public: dict[str, str], *, members: bool) -> list[str]:
    """The directive for one module; a package's own names are those of its modules, which follow."""
    name = module.__name__
    if not members:
        return [f".. automodule:: {name}", "   :no-members:", ""]
    elsewhere = sorted(short for full, short in public.items() if full == f"{name}.{short}")
    lines = [f".. automodule:: {name}", "   :members:", "   :ignore-module-all:"]
    if elsewhere:
        lines.append(f"   :exclude-members: {', '.join(elsewhere)}")
    lines.append("")
    for short in elsewhere:
        lines += [f":py:obj:`{PACKAGE}.{short}` is documented with the public names.", ""]
    return lines


def heading(text: str, line: str) -> list[str]:
    """A title and the line below it."""
    return [text, line * len(text), ""]
