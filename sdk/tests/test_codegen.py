"""What the templates make of constructs that the contract may use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "codegen"))

import resources


def schema(required: str = "", **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT = {"type": "string"}
MONEY = {"type": "number", "x-unpuzzle-money": True}
SCHEMAS: dict[str, Any] = {
    "Money": schema("price", price=MONEY | {"nullable": True}, amount=MONEY, rating={"type": "number"}),
    "Receipt": {"allOf": [ref("Money"), schema(type=TEXT)]},
    "Choice": schema("kind answer", kind=TEXT | {"enum": ["choice"]}, answer=TEXT),
    "Essay": schema("kind text", kind=TEXT | {"enum": ["essay"]}, text=TEXT),
    "Quiz": schema(
        "questions",
        questions={"type": "array", "items": {"oneOf": [ref("Choice"), ref("Essay")]}},
        seal=schema(password=TEXT) | {"nullable": True},
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("contract") / "contract.yaml"
    info = {"title": "T", "version": "1.0.0"}
    path.write_text(yaml.safe_dump({"openapi": "3.0.3", "info": info, "paths": {}, "components": {"schemas": SCHEMAS}}))
    return resources.load_project(path)


def model(project: Any, name: str) -> str:
    found = next(model for model in project.openapi.models if model.class_info.name == name)
    return project.env.get_template("model.py.jinja").render(model=found)


def test_money_is_decimal_also_through_all_of(project: Any) -> None:
    for name in ("Money", "Receipt"):
        text = model(project, name)
        assert "price: Decimal | None\n" in text
        assert "amount: Decimal | Unset = UNSET" in text
        assert "rating: float | Unset = UNSET" in text
        assert 'price=codec.maybe(codec.parse_decimal, fields.pop("price"))' in text


def test_names_of_builtins_stay(project: Any) -> None:
    assert "    type: str | Unset" in model(project, "Receipt")


def test_unions_are_told_apart_by_their_tag(project: Any) -> None:
    text = model(project, "Quiz")
    assert "codec.tagged(\"kind\", {'choice': models.Choice.from_dict, 'essay': models.Essay.from_dict})" in text


def test_nullable_objects_get_plain_names_and_secrets_are_not_shown(project: Any) -> None:
    assert resources.nullable.new_names(project) == {"QuizSealType0": "QuizSeal"}
    assert "password: str | Unset = field(default=UNSET, repr=False)" in model(project, "QuizSealType0")
