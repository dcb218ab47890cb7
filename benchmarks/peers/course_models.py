"""The same page of courses for every client: as its own kind of model, by the way that its answers take."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import anthropic
import openai
import stripe
from anthropic import _models as anthropic_models
from githubkit.compat import GitHubModel
from openai import _models as openai_models
from pydantic import TypeAdapter, create_model

from peers.contract import example_of
from unpuzzle_sdk import models

NULLABLE = {"thumbnail_url": str, "rating": float, "avatar_url": str, "next": str, "previous": str}
COURSES = 100


def page() -> dict[str, Any]:
    found = example_of("courses.list")
    return {**found, "results": [found["results"][0]] * COURSES}


def decoders(body: bytes) -> dict[str, Callable[[], Any]]:
    """How each client makes objects of the bytes of a page."""
    of_openai, of_anthropic = page_model(openai.BaseModel), page_model(anthropic.BaseModel)
    of_github = TypeAdapter(page_model(GitHubModel))
    return {
        "ours": lambda: models.CoursePage.from_dict(json.loads(body)),
        "openai-python": lambda: openai_models.construct_type(type_=of_openai, value=json.loads(body)),
        "anthropic": lambda: anthropic_models.construct_type(type_=of_anthropic, value=json.loads(body)),
        "stripe-python": lambda: stripe.StripeObject.construct_from(json.loads(body), "sk_test"),
        "githubkit": lambda: of_github.validate_json(body),
        "json.loads alone": lambda: json.loads(body),
    }


def page_model(base: type[Any]) -> type[Any]:
    """The models of a client's own kind, with the types that the SDK gives these fields."""
    found = page()
    course = {name: of_field(base, name, value) for name, value in found["results"][0].items()}
    fields = {name: of_field(base, name, value) for name, value in found.items() if name != "results"}
    return create_model("Page", __base__=base, **fields, results=(list[create_model("Course", __base__=base, **course)], ...))


def of_field(base: type[Any], name: str, value: Any) -> tuple[Any, Any]:
    if isinstance(value, dict):
        inner = {key: of_field(base, key, item) for key, item in value.items()}
        return create_model(name, __base__=base, **inner), ...
    if name in NULLABLE:
        return NULLABLE[name] | None, None
    return datetime if name.endswith("_at") else list[str] if isinstance(value, list) else type(value), ...
