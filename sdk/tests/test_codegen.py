"""What the templates make of constructs that the contract may use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import yaml

from unpuzzle_sdk import models

sys.path.insert(0, str(Path(__file__).parents[1] / "codegen"))

import resources

SDK = Path(__file__).parents[1]
CONTRACT = SDK.parent / "openapi" / "unpuzzle.yaml"


def schema(required: str = "", **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT = {"type": "string"}
SECRET = TEXT | {"x-unpuzzle-secret": True}
MONEY = {"type": "number", "x-unpuzzle-money": True}
SCHEMAS: dict[str, Any] = {
    "Money": schema("price", price=MONEY | {"nullable": True}, amount=MONEY, rating={"type": "number"}),
    "Receipt": {"allOf": [ref("Money"), schema(type=TEXT)]},
    "Choice": schema("kind answer", kind=TEXT | {"enum": ["choice"]}, answer=TEXT),
    "Essay": schema("kind text", kind=TEXT | {"enum": ["essay"]}, text=TEXT),
    "Quiz": schema(
        "questions mood",
        mood=TEXT | {"enum": ["easy", "hard"], "nullable": True},
        questions={"type": "array", "items": {"oneOf": [ref("Choice"), ref("Essay")]}},
        seal=schema(pin=SECRET) | {"nullable": True},
    ),
}


def project_of(folder: Path, schemas: dict[str, Any]) -> Any:
    path = folder / "contract.yaml"
    info = {"title": "T", "version": "1.0.0"}
    path.write_text(yaml.safe_dump({"openapi": "3.0.3", "info": info, "paths": {}, "components": {"schemas": schemas}}))
    return resources.load_project(path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return project_of(tmp_path_factory.mktemp("contract"), SCHEMAS)


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


def test_one_of_some_values_may_be_null(project: Any) -> None:
    assert "    mood: models.QuizMood | None\n" in model(project, "Quiz")


def test_nullable_objects_get_plain_names_and_secrets_are_not_shown(project: Any) -> None:
    assert resources.nullable.new_names(project) == {"QuizSealType0": "QuizSeal"}
    assert "pin: str | Unset = field(default=UNSET, repr=False)" in model(project, "QuizSealType0")


KIND = schema("slug", slug=TEXT | {"description": "What it is called."})
COURSE = schema("kind", kind=KIND | {"nullable": True})


def new_names(folder: Path, **schemas: Any) -> dict[str, str]:
    return resources.nullable.new_names(project_of(folder, {"Course": COURSE} | schemas))


@pytest.mark.parametrize(
    "others", [{}, {"CourseKind": KIND}, {"CourseKind": schema("slug", slug=TEXT)}, {"AKind": KIND}]
)
def test_neither_words_nor_other_schemas_change_what_a_nullable_object_is_called(tmp_path: Path, others: Any) -> None:
    assert new_names(tmp_path, **others) == {"CourseKindType0": "CourseKind"}


def test_maps_of_different_things_are_different(tmp_path: Path) -> None:
    numbers = {"type": "object", "additionalProperties": {"type": "number"}, "nullable": True}
    texts = {"type": "object", "additionalProperties": TEXT}
    with pytest.raises(resources.ContractError, match="CourseKind would be two different things"):
        new_names(tmp_path, Course=schema(kind=numbers), CourseKind=texts)


def test_two_things_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(resources.ContractError, match="CourseKind would be two different things"):
        new_names(tmp_path, CourseKind=schema("slug", slug={"type": "integer"}))


def test_objects_to_choose_from_must_have_names(tmp_path: Path) -> None:
    with pytest.raises(resources.ContractError, match="make each a component"):
        new_names(tmp_path, Course=schema(kind={"oneOf": [KIND, schema("id", id=TEXT)]}))


def test_every_field_that_may_be_null_says_so() -> None:
    """The models of the whole contract; opc overlooks it beside a list of values."""
    document = yaml.load(CONTRACT.read_bytes(), Loader=yaml.CSafeLoader)
    contract = resources.Contract(document)
    silent = []
    for name, found in document["components"]["schemas"].items():
        if model := getattr(models, name, None):
            fields = {field.name: str(field.type) for field in attrs.fields(model)} if attrs.has(model) else {}
            nullable = (key for key, field in contract.fields(found).items() if contract.resolve(field).get("nullable"))
            silent += [f"{name}.{key}" for key in nullable if "None" not in (fields.get(key) or fields[f"{key}_"])]
    assert silent == []


def files_of(folder: Path) -> dict[Path, bytes]:
    return {
        file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.suffix in (".py", ".json")
    }


def test_what_fails_to_be_generated_leaves_the_package_whole(tmp_path: Path) -> None:
    for part in ("codegen", "unpuzzle_sdk"):
        shutil.copytree(SDK / part, tmp_path / "sdk" / part)
    (tmp_path / "openapi").mkdir()
    contract = CONTRACT.read_text("utf-8").replace("application/octet-stream", "application/x-unheard-of")
    (tmp_path / "openapi/unpuzzle.yaml").write_text(contract, "utf-8")
    made = subprocess.run([sys.executable, str(tmp_path / "sdk/codegen/generate.py")], capture_output=True, check=False)
    assert made.returncode != 0
    assert files_of(tmp_path / "sdk/unpuzzle_sdk") == files_of(SDK / "unpuzzle_sdk")


STREAMING = {
    "/chat/": {
        "post": {
            "operationId": "chat.send",
            "tags": ["chat"],
            "summary": "Send",
            "description": "Sends.",
            "x-unpuzzle-role": "user",
            "x-unpuzzle-errors": ["IT_IS_LATE"],
            "x-unpuzzle-stream": {
                "flag": "stream",
                "final": "done",
                "events": {"said": ref("Essay"), "done": ref("Quiz")},
            },
            "requestBody": {"required": True, "content": {"application/json": {"schema": ref("Question")}}},
            "responses": {
                "200": {
                    "description": "It.",
                    "content": {
                        "application/json": {"schema": ref("Quiz")},
                        "text/event-stream": {"schema": ref("Frame")},
                    },
                }
            },
        }
    },
    "/watch/": {
        "get": {
            "operationId": "chat.watch",
            "tags": ["chat"],
            "summary": "Watch",
            "description": "Watches.",
            "x-unpuzzle-role": "public",
            "deprecated": True,
            "x-unpuzzle-deprecation": {
                "deprecated_at": "2026-08-31",
                "sunset_at": "2027-03-01",
                "use": "chat.send",
                "guide": "https://docs/chat",
            },
            "x-unpuzzle-stream": {"resumes": True, "events": {"said": ref("Essay")}},
            "responses": {"200": {"description": "It.", "content": {"text/event-stream": {"schema": ref("Frame")}}}},
        }
    },
}


def test_an_operation_can_not_take_the_name_of_a_method_written_by_hand(streaming: Any) -> None:
    project, operations, _ = streaming
    raw = operations[0].raw | {"operationId": "media.upload"}
    endpoint = SimpleNamespace(tags=["media"], name="media_upload")
    with pytest.raises(resources.ContractError, match=r"media\.upload: uploads\.Uploads has a method by that name"):
        resources.check_own([resources.Operation(endpoint, raw, project)])


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("contract") / "contract.yaml"
    mood = TEXT | {"enum": ["calm", "angry"], "nullable": True}
    question = schema("text", text=TEXT | {"maxLength": 90}, mood=mood, stream={"type": "boolean"}) | {
        "example": {"text": "Why?"}
    }
    code = {"x-unpuzzle-statuses": {"IT_IS_LATE": 409}, "x-unpuzzle-meanings": {"IT_IS_LATE": "Nobody is there."}}
    more = {"Question": question, "Frame": schema(data=TEXT), "ErrorCode": TEXT | code}
    document = {
        "openapi": "3.0.3",
        "info": {"title": "T", "version": "1.0.0"},
        "paths": STREAMING,
        "components": {"schemas": SCHEMAS | more},
    }
    path.write_text(yaml.safe_dump(document))
    project = resources.load_project(path)
    return project, list(resources.join(project, document)), document


def rendered(streaming: Any, template: str, **context: Any) -> str:
    project, operations, document = streaming
    told = resources.prose(operations, document)
    return project.env.get_template(template).render(operations=operations, **told, **context)


def test_what_streams_has_a_method_of_its_own_beside_json(streaming: Any) -> None:
    text = rendered(streaming, "resource.py.jinja", tag={"name": "chat", "class_name": "Chat", "description": "Chat."})
    compile(text, "chat.py", "exec")
    assert ") -> Stream[models.Essay | models.Quiz, models.Quiz]:" in text
    assert ") -> AsyncStream[models.Essay, Never]:" in text
    assert "stream: bool" not in text
    assert text.count("mood: models.QuestionMood | None | Unset = UNSET") == 4
    for signature in ("    def send(", "    def send_stream(", "    async def send(", "    def watch("):
        assert signature in text
    assert "def watch_stream(" not in text
    assert text.count("chat_send_stream.OPERATION,") == text.count("chat_send.OPERATION,") == 2
    assert "@async_raw(AsyncChat.send_stream)" in text


def test_a_stream_says_which_events_it_has(streaming: Any) -> None:
    first, second = streaming[1]
    text = rendered(streaming, "stream_module.py.jinja", operation=first, endpoint=first.endpoint)
    compile(text, "chat_send_stream.py", "exec")
    assert '"done": lambda data: models.Quiz.from_dict(data)' in text
    assert 'flag="stream"' in text
    assert 'final="done"' in text
    assert (first.stream_module, second.stream_module) == ("chat_send_stream", "chat_watch")
    assert "resumes=True" in rendered(streaming, "stream_module.py.jinja", operation=second, endpoint=second.endpoint)


def test_a_docstring_has_limits_rights_errors_and_a_program(streaming: Any) -> None:
    text = rendered(streaming, "resource.py.jinja", tag={"name": "chat", "class_name": "Chat", "description": "Chat."})
    send = text[text.index("def send(") : text.index("def send_stream(")]
    assert "`POST /chat/`. For whoever is signed in." in send
    assert "text: At most 90 characters." in " ".join(send.split())
    assert "errors.ItIsLate: `IT_IS_LATE`. Nobody is there." in send
    assert "quiz = client.chat.send(text='Why?')" in send
    assert "for event in client.chat.send_stream(text='Why?'):" in text
    assert "async for event in client.chat.watch():" in text


def test_what_is_deprecated_is_marked_and_says_what_to_use(streaming: Any) -> None:
    text = rendered(streaming, "resource.py.jinja", tag={"name": "chat", "class_name": "Chat", "description": "Chat."})
    notice = "chat.watch is deprecated, and will be gone on 2027-03-01: use chat.send. See https://docs/chat"
    marked = f'    @deprecated("{notice}")\n\n    def watch('
    assert text.count(marked) == text.count("@deprecated(") == text.count(f"Deprecated: {notice}") == 2
    assert f'"chat.watch": "{notice}",' in rendered(streaming, "deprecations.py.jinja")
