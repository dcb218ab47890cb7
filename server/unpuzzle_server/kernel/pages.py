"""Pages from templates; Jinja is loaded with the first of them."""

from functools import cache
from typing import Any, cast


def rendered(package: str, name: str, **values: Any) -> bytes:
    """A template of a package's folder `pages`, with these values."""
    return cast("bytes", _template(package, name).render(values).encode())


@cache
def _template(package: str, name: str) -> Any:
    from jinja2 import Environment, PackageLoader

    return Environment(loader=PackageLoader(package, "pages"), autoescape=True).get_template(name)
