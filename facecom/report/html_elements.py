"""HTML elements; every text is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; base-uri 'none'; form-action 'none'"
)
"""The page may load nothing but itself. unsafe-eval: plotly compiles functions for its shaders at run time."""
BAR_LENGTH_REM = 8


def page(title: str, body: Iterable[str], *, style: str) -> str:
    """A whole page; `body` holds its elements as HTML, `style` a style sheet."""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(CONTENT_SECURITY_POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            *body,
            "</body>",
            "</html>",
            "",
        )
    )


def tag(name: str, text: str, *, kind: str | None = None) -> str:
    """An element that holds text; `kind` is its class.

    Examples
    --------
    >>> tag("p", "a < b", kind="soft")
    '<p class="soft">a &lt; b</p>'
    """
    mark = f' class="{escape(kind)}"' if kind else ""
    return f"<{name}{mark}>{escape(text)}</{name}>"


def link(text: str, url: str) -> str:
    """An external link.

    Raises
    ------
    ValueError
        When the address is not https.

    Examples
    --------
    >>> link("paper", "https://arxiv.org/abs/2406.02074")
    '<a href="https://arxiv.org/abs/2406.02074" rel="noreferrer">paper</a>'
    """
    if not url.startswith("https://"):
        raise ValueError(f"a link must begin with https://, got {url!r}")
    return f'<a href="{escape(url)}" rel="noreferrer">{escape(text)}</a>'


def picture(uri: str, caption: str, *, note: str | None = None) -> str:
    """A picture embedded in the page, and its caption.

    Raises
    ------
    ValueError
        When the address is not a data URI.
    """
    if not uri.startswith("data:image/"):
        raise ValueError("a picture must be embedded in the page; give a data URI")
    below = f"<br>{escape(note)}" if note else ""
    return (
        f'<figure><img src="{escape(uri)}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}{below}</figcaption></figure>"
    )


def pairs(rows: Mapping[str, str]) -> str:
    """A table of names and values."""
    lines = (f"<tr>{tag('th', name)}{tag('td', value)}</tr>" for name, value in rows.items())
    return f'<div class="wide"><table class="pairs">{"".join(lines)}</table></div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with names in the first column and numbers in the others."""
    top = "".join(tag("th", text, kind="number" if k else None) for k, text in enumerate(head))
    lines = (
        "<tr>" + "".join(tag("td", text, kind="number" if k else None) for k, text in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{"".join(lines)}</table></div>'


def bars(seconds: Mapping[str, float]) -> str:
    """A table of times in seconds, with bars."""
    longest = max(seconds.values(), default=0.0) or 1.0
    lines = (
        f"<tr>{tag('th', name)}<td>"
        f'<span class="bar" style="width:{BAR_LENGTH_REM * value / longest:.2f}rem"></span>{value:.2f} s</td></tr>'
        for name, value in seconds.items()
    )
    return f"<table>{''.join(lines)}</table>"
