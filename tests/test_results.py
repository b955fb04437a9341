"""The figures of README.md and docs/results.md are those of docs/results.json, and nobody types one in."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "results.md"]
HEADLINE = "missing", "observed", "linear_missing", "linear_observed"


@pytest.fixture
def headline(monkeypatch):
    """A module of benchmarks/headline by name."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.headline.{name}")


@pytest.fixture
def document(headline):
    return headline("results").read()


def outside(page: Path, headline) -> str:
    """The text of a page without its marked tables, code, links and words in backticks."""
    text = headline("tables").MARKED.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_what_the_document_gives(page, headline, document):
    text = page.read_text(encoding="utf-8")
    tables = headline("tables")
    assert tables.rendered(text, tables.tables_of(document)) == text, "run python -m benchmarks.headline tables"
    assert tables.MARKED.search(text)


def test_a_figure_that_is_typed_in_is_found(headline, document):
    tables = headline("tables")
    made = tables.rendered("<!-- table: headline -->\n<!-- end -->\n", tables.tables_of(document))
    figure = f"{document['suites']['dev']['all']['missing']:.2f}"
    assert figure in made
    typed = made.replace(figure, "0.01")
    assert tables.rendered(typed, tables.tables_of(document)) == made


def test_every_table_is_shown_once(headline, document):
    shown = [name for page in PAGES for _, name, _ in headline("tables").MARKED.findall(page.read_text("utf-8"))]
    assert sorted(shown) == sorted(headline("tables").tables_of(document))


def test_the_results_page_has_no_figure_of_its_own(headline):
    """What stands beside the tables names no measured figure: no decimals but the noise that was put in."""
    found = re.findall(r"\d+\.\d+", outside(ROOT / "docs" / "results.md", headline))
    assert set(found) <= {"0.1"}


def test_readme_has_no_table_of_figures_of_its_own(headline):
    rows = [line for line in outside(ROOT / "README.md", headline).splitlines() if line.startswith("|")]
    assert not [line for line in rows if re.search(r"\d\.\d", line)]


def test_means_are_the_means_of_the_cases(headline, document):
    for suite in document["suites"].values():
        again = headline("results").suite_results(suite["cases"], suite["command"])
        for part in ("by_defect", "by_head", "all"):
            assert again[part] == suite[part]
        assert suite["version"] and suite["commit"] and suite["cores"] > 0


def test_a_suite_is_whole(headline, document):
    for name, suite in document["suites"].items():
        wanted = sorted(case.name for _, case in headline("cutting").suite(name))
        assert sorted(row["case"] for row in suite["cases"]) == wanted
        assert all(set(HEADLINE) <= set(row) for row in suite["cases"])


def test_carried_tables_name_command_and_state(document):
    for table in document["tables"].values():
        assert table["command"].startswith(("python ", "make "))
        assert "commit" in table["commit"] or table["commit"] == "as documented"
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}
