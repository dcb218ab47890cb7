"""Better names for the models of nullable objects.

opc sees an inline object that may be null as a union and calls its class `CourseCategoryType0`. Here it becomes the
component of the same shape if there is one (`CourseCategory`), else it loses the ending.
"""

from __future__ import annotations

import re
from pathlib import Path

from openapi_python_client import Project
from openapi_python_client.parser.properties import ModelProperty
from openapi_python_client.strings import PythonIdentifier

ENDING = "Type0"


def new_names(project: Project) -> dict[str, str]:
    """The classes to rename, each with its new name; those made inside them follow."""
    models = {str(model.class_info.name): model for model in project.openapi.models}
    classes = {*models, *(str(enum.class_info.name) for enum in project.openapi.enums)}
    renamed = {}
    for name in sorted(models):
        stem = name.removesuffix(ENDING)
        if stem == name or f"{stem}Type1" in classes:
            continue
        inner = [other for other in classes if other.startswith(name) and other != name]
        twin = None if inner else _twin(models[name], models)
        if twin is None and stem in classes:
            continue
        renamed[name] = twin or stem
        renamed |= {other: stem + other.removeprefix(name) for other in inner}
    return renamed


def _twin(model: ModelProperty, models: dict[str, ModelProperty]) -> str | None:
    for name, other in sorted(models.items()):
        same = (other.data.properties, other.data.required) == (model.data.properties, model.data.required)
        if same and ENDING not in name:
            return name
    return None


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
