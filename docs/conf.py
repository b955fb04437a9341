"""How Sphinx builds the documentation site: `make docs`."""

import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE / "_site"))

project = "facecom"
author = "facecom contributors"
version = release = import_module("facecom").__version__
extensions = [
    "api_pages",
    "house_docstrings",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_site"]
# Two classes of one short name: the link goes to one of them, which no docstring can help.
suppress_warnings = ["ref.python"]
highlight_language = "text"
# `name` in a docstring is code, and a link where it names something of the package.
default_role = "py:obj"

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
# Arrays are shown by our short names for them, not by what numpy calls them.
autodoc_type_aliases = {name: name for name in ("Bools", "Floats", "Ints", "Bytes", "ArrayLike")}
napoleon_google_docstring = False
napoleon_use_rtype = False
python_maximum_signature_line_length = 88

html_theme = "pydata_sphinx_theme"
html_title = f"facecom {version}"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "facecom"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
copyright = "facecom contributors, MIT licence"
