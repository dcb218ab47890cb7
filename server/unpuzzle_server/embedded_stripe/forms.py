"""What clients send: fields of a form, nested with brackets, each read as what it has to be."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from unpuzzle_server.embedded_stripe.errors import StripeError, missing

Nested = dict[str, Any]
DEEPEST = 8
MOST_FIELDS = 1000
LARGEST = 10**15
LARGEST_FORM = 256 * 1024
METADATA_KEYS, METADATA_KEY, METADATA_VALUE = 50, 40, 500
TRUTHS = {"true": True, "false": False, "1": True, "0": False}


async def read(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise StripeError("The request is too large.", status=413)
    return body.decode(errors="replace")


def parse(body: str) -> Nested:
    """`items[0][price]=x` as `{"items": {"0": {"price": "x"}}}`; `expand[]` counts by itself."""
    try:
        pairs = parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise StripeError("Invalid request: the form can't be read.") from None
    found: Nested = {}
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise StripeError("Invalid string: null characters are not allowed.", param=name.replace("\0", ""))
        _put(found, name, value)
    return found


def _put(found: Nested, name: str, value: str) -> None:
    *outer, last = name.replace("]", "").split("[", DEEPEST)
    here = found
    for step in outer:
        here = here.setdefault(step or str(len(here)), {})
        if not isinstance(here, dict):
            raise StripeError("Invalid hash: it is given as a string too.", param=name)
    here[last or str(len(here))] = value


class Form:
    """The fields of one level."""

    def __init__(self, fields: Nested, path: str = "") -> None:
        self.fields = fields
        self.path = path

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def __bool__(self) -> bool:
        return bool(self.fields)

    def name(self, name: str) -> str:
        return f"{self.path}[{name}]" if self.path else name

    def only(self, *names: str) -> None:
        """Refuses what the operation does not know."""
        if unknown := [self.name(name) for name in self.fields if name not in (*names, "expand")]:
            listed = ", ".join(unknown)
            message = f"Received unknown parameter{'s' if len(unknown) > 1 else ''}: {listed}"
            raise StripeError(message, "parameter_unknown", unknown[0])

    def text(self, name: str, default: str | None = None) -> str | None:
        """A string; an empty one unsets what was there."""
        value = self.fields.get(name, default)
        if isinstance(value, dict):
            raise StripeError(f"Invalid string: {value}", param=self.name(name))
        return value or None

    def need(self, name: str) -> str:
        if value := self.text(name):
            return value
        if name in self.fields:
            message = (
                f"You passed an empty string for '{self.name(name)}'. We assume empty values are an attempt to unset a parameter"
            )
            raise StripeError(
                f"{message}; however '{self.name(name)}' cannot be unset.", "parameter_invalid_empty", self.name(name)
            )
        raise missing(self.name(name))

    def choice(self, name: str, options: Iterable[str], default: str | None = None) -> str | None:
        value = self.text(name, default)
        if value is not None and value != default and value not in options:
            raise StripeError(f"Invalid {self.name(name)}: must be one of {', '.join(options)}", param=self.name(name))
        return value

    def integer(self, name: str, least: int = 0, most: int = LARGEST) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(LARGEST))):
            raise StripeError(f"Invalid integer: {value}", "parameter_invalid_integer", self.name(name))
        if not least <= (number := int(value)) <= most:
            bound = f"greater than or equal to {least}" if number < least else f"less than or equal to {most}"
            raise StripeError(f"This value must be {bound}.", "parameter_invalid_integer", self.name(name))
        return number

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.text(name)
        if value is None:
            return default
        if value not in TRUTHS:
            raise StripeError(f"Invalid boolean: {value}", param=self.name(name))
        return TRUTHS[value]

    def part(self, name: str) -> "Form":
        value = self.fields.get(name) or {}
        if not isinstance(value, dict):
            raise StripeError("Invalid object", param=self.name(name))
        return Form(value, self.name(name))

    def parts(self, name: str) -> list["Form"]:
        return [self.part(name).part(key) for key in self.part(name).fields]

    def texts(self, name: str) -> list[str]:
        return [self.part(name).need(key) for key in self.part(name).fields]

    def metadata(self, before: dict[str, str] | None = None) -> dict[str, str]:
        """What was there, with what is given; empty values take keys away, an empty string takes all."""
        if self.fields.get("metadata") == "":
            return {}
        given = self.part("metadata")
        merged = {**(before or {}), **{key: given.text(key) or "" for key in given.fields}}
        kept = {key: value for key, value in merged.items() if value}
        if len(kept) > METADATA_KEYS:
            raise StripeError(f"Metadata can have at most {METADATA_KEYS} keys.", param="metadata")
        for key, value in kept.items():
            if len(key) > METADATA_KEY or len(value) > METADATA_VALUE:
                message = f"Metadata keys have up to {METADATA_KEY} characters, values up to {METADATA_VALUE}."
                raise StripeError(message, param=f"metadata[{key[:METADATA_KEY]}]")
        return kept
