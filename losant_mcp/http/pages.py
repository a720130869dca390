"""The pages as text: templates that escape by themselves, one style, and the policy it needs.

No script, no image, no font and nothing from elsewhere: the style is in the page, and the policy
lets a browser apply that very style and nothing more.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **values: object) -> str:
    """The page of this template. Every value is escaped; a missing one raises."""
    return _environment().get_template(f"{template}.html").render(values)


@cache
def content_policy() -> str:
    """The ``Content-Security-Policy`` of every page."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


@cache
def content_policy_of_file() -> str:
    """The same for a file, where a browser does not heed ``frame-ancestors`` and complains."""
    ours = "form-action 'self'; frame-ancestors 'none'"
    return content_policy().replace(ours, "form-action 'none'")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("losant_mcp.http"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # Ours, word for word: its hash is in the policy, so that any other style is not applied.
    environment.globals["style"] = Markup(_style())  # noqa: S704
    return environment


@cache
def _style() -> str:
    # Reading as text makes line ends the same everywhere, and so does a browser before hashing.
    return files("losant_mcp.http").joinpath("templates/style.css").read_text(encoding="utf-8")
