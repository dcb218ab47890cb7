"""Better names for the models of nullable objects.

opc sees an inline object that may be null as a union and calls its class `CourseCategoryType0`. Here it loses the
ending, and is the component of that name (`CourseCategory`) where there is one of the same shape.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from faults import ContractError
from openapi_python_client import Project
from openapi_python_client.parser.properties import ModelProperty
from openapi_python_client.schema import Schema
from openapi_python_client.strings import PythonIdentifier

ENDING = re.compile(r"Type0(?=[A-Z]|$)")
"""It is inside the names of what such an object holds, too."""
PROSE = {"title", "description", "example", "externalDocs"}
"""What may differ between two schemas of the same shape."""


def new_names(project: Project) -> dict[str, str]:
    """The classes to rename, each with its new name. A name says where a class is used, and nothing else changes it."""
    known = {str(item.class_info.name): item for item in [*project.openapi.models, *project.openapi.enums]}
    renamed = {name: ENDING.sub("", name) for name in sorted(known) if ENDING.search(name)}
    for old, new in renamed.items():
        if re.sub("Type0$", "Type1", old) in known.keys() - {old}:
            raise ContractError(f"{new} may be one of several objects: make each a component, which has a name")
        if _held(known.setdefault(new, known[old])) != _held(known[old]):
            raise ContractError(f"{new} would be two different things: name one of them otherwise")
    return renamed


def _held(item: Any) -> Any:
    """What a class holds; that it may be null is no part of it."""
    if isinstance(item, ModelProperty):
        return _shape(item.data.model_copy(update={"type": None, "nullable": False}))
    return item.values


def _shape(node: Any) -> Any:
    """What a schema asks for, whatever is said of it."""
    if isinstance(node, Schema):
        parts = {key: _shape(getattr(node, key)) for key in type(node).model_fields if key not in PROSE}
        return parts | {"required": {*(node.required or ())}, "extensions": node.model_extra}
    if isinstance(node, dict):
        return {key: _shape(value) for key, value in node.items()}
    return [_shape(value) for value in node] if isinstance(node, list) else node


def rename(project: Project, package: Path) -> None:
    """Rename the classes and their modules in everything that has been generated."""
    renamed = new_names(project)
    if not renamed:
        return
    classes = [*project.openapi.models, *project.openapi.enums]
    modules = {str(item.class_info.name): str(item.class_info.module_name) for item in classes}
    for old, new in renamed.items():
        path = package / "models" / f"{modules.pop(old)}.py"
        if new in modules:
            path.unlink()
        else:
            modules[new] = str(PythonIdentifier(new, ""))
            path.rename(path.with_name(f"{modules[new]}.py"))

    pattern = re.compile(rf"\b({'|'.join(renamed)})\b")
    for folder in ("api", "models", "resources"):
        for path in (package / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            path.write_text(pattern.sub(lambda match: renamed[match[1]], text), encoding="utf-8")

    imports = [f"from .{module} import {name}" for name, module in modules.items()]
    index = project.env.get_template("models_init.py.jinja").render(imports=imports, alls=sorted(modules))
    (package / "models" / "__init__.py").write_text(index, encoding="utf-8")
