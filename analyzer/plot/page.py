"""Pages that need nothing but themselves: the drawing library, figures and styles are in them, compressed; no address is asked."""

from __future__ import annotations

import base64
import gzip
import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from analyzer.patterns import regex
from analyzer.plot.extras import needed
from analyzer.plot.interactive import figure_dict
from analyzer.plot.palette import GROUND, ROLES, css
from analyzer.plot.picture import Picture
from analyzer.text import harmless

ASSETS = Path(__file__).parent / "assets"
# What a page may do: run and show what it holds. Nothing can be fetched, whatever a capture may have smuggled in.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
CODE = regex(r"`([^`]+)`")
FRAME_ROOM = 150  # pixels around a figure in a notebook
VARIABLES = {role: f"var(--{role.replace('_', '-')})" for role in ROLES | GROUND}


def page(picture: Picture) -> str:
    """A page with one picture."""
    return rendered(ASSETS, "picture.html", figures=[drawn("plot", picture)], title=picture.title)


def fragment(picture: Picture) -> str:
    """The same within another page, such as a notebook."""
    height = int(figure_dict(picture)["layout"]["height"]) + FRAME_ROOM
    title, content = html.escape(picture.title), html.escape(page(picture))
    return f'<iframe title="{title}" srcdoc="{content}" style="width:100%;height:{height}px;border:0"></iframe>'


def drawn(name: str, picture: Picture) -> dict[str, Any]:
    """What the template `figure.html` needs of a picture; `name` is the anchor to it."""
    figure = figure_dict(picture, VARIABLES)
    return {
        "name": name,
        "title": picture.title,
        "text": picture.text,
        "height": figure["layout"]["height"],
        "data": packed(json.dumps(figure, separators=(",", ":"), allow_nan=False)),
    }


def rendered(folder: Path, template: str, **values: Any) -> str:
    """A template of a folder (or of ours) with these values, every one of them escaped, and shown where it would control something."""
    jinja2 = needed("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, ASSETS]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    common = {
        "policy": POLICY,
        # Ours, not the capture's: these three are no data.
        "style": needed("markupsafe").Markup(css() + (ASSETS / "page.css").read_text()),
        "script": needed("markupsafe").Markup((ASSETS / "page.js").read_text()),
        "library": library(),
    }
    text: str = environment.get_template(template).render(common | values)
    return text


def _shown(value: Any) -> Any:
    """A value as it goes into a page; what is markup already is ours."""
    return harmless(value) if type(value) is str else value


def marked(text: str) -> Any:
    """Text with what stands in backticks as code; all of it escaped."""
    parts = CODE.split(html.escape(harmless(text)))
    found = "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
    return needed("markupsafe").Markup(found)


@cache
def library() -> str:
    """plotly.js, as the Python package brings it along."""
    script: str = needed("plotly.offline").get_plotlyjs()
    return packed(script)


def packed(text: str) -> str:
    """Text as a page unpacks it."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
