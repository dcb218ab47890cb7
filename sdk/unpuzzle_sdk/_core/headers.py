"""Headers, whose names have no case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def canonical(headers: Mapping[str, str]) -> dict[str, str]:
    """Give headers under one spelling of their names, so that none is there twice; the last counts."""
    return {name.title(): value for name, value in headers.items()}


class Headers(Mapping[str, str]):
    """Headers that can be read only, by names in any case. The `repr` shows no secrets."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Take these."""
        self._headers = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        """Give the value of one."""
        return self._headers[name.lower()]

    def __iter__(self) -> Iterator[str]:
        """Give the names, in lower case."""
        return iter(self._headers)

    def __len__(self) -> int:
        """Count them."""
        return len(self._headers)

    def __repr__(self) -> str:
        """Give those that are known to be harmless with their values, the others by their names."""
        from .redact import header_lines

        return f"<Headers {header_lines(self._headers)}>"
