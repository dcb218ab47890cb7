"""Which operation a request is for."""

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from unpuzzle_cli.conformance.contract import Contract, Operation
from unpuzzle_cli.conformance.laws.exchange import CONTRACT


@dataclass(frozen=True)
class Routes:
    contract: Contract

    def find(self, method: str, url: str) -> Operation | None:
        """The operation at an address below the server's; HEAD is GET without a body."""
        wanted = "get" if method == "HEAD" else method.lower()
        path = urlsplit(url).path.rstrip("/")
        return next((found for pattern, found in self._patterns.get(wanted, ()) if pattern.fullmatch(path)), None)

    @cached_property
    def _patterns(self) -> dict[str, list[tuple[re.Pattern[str], Operation]]]:
        """Those of each method, paths without parameters first: /courses/create/ is no course."""
        found: dict[str, list[tuple[re.Pattern[str], Operation]]] = {}
        for operation in sorted(self.contract.operations, key=lambda operation: len(operation.path_parameters)):
            escaped = re.escape(operation.path.rstrip("/")).replace(r"\{", "{").replace(r"\}", "}")
            found.setdefault(operation.method, []).append((re.compile(re.sub(r"\{\w+\}", "[^/]+", escaped)), operation))
        return found


ROUTES = Routes(CONTRACT)
