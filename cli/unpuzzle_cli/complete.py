"""Completion that knows what is on the server; where it can't ask in time, it says nothing."""

from typing import Any

import typer


def courses(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Slugs of the catalogue that begin so, each with its title."""
    from unpuzzle_cli.session import Choice

    try:
        given: dict[str, Any] = ctx.find_root().params
        choice = Choice(given.get("base_url") or "", given.get("profile") or "default", quiet=True)
        with choice.client(timeout=1, max_retries=0) as client:
            page = client.courses.list(page_size=50, **({"search": incomplete.replace("-", " ")} if incomplete else {}))
            return [(item.slug, item.title) for item in page.results if item.slug.startswith(incomplete)]
    except Exception:  # a shell that waits for completion has no use for any error
        return []


def own_courses(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of one's own courses that begin so, each with its title."""
    from unpuzzle_cli.session import Choice

    try:
        given: dict[str, Any] = ctx.find_root().params
        choice = Choice(given.get("base_url") or "", given.get("profile") or "default", quiet=True)
        with choice.client(timeout=1, max_retries=0) as client:
            page = client.courses.list_own(page_size=100)
            return [(item.id, item.title) for item in page.results if item.id.startswith(incomplete)]
    except Exception:  # as above
        return []
