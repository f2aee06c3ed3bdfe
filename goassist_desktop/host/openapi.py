"""The OpenAPI document of the operations and their schemas: made of what is served."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from goassist_desktop.host import schemas
from goassist_desktop.host.operations import OPERATIONS, Operation
from goassist_desktop.host.security import COOKIE, CSRF_HEADER

_REF: Final = "#/components/schemas/{model}"
_DESCRIPTION: Final = (
    "Talk with the assistant from elsewhere. Errors are JSON with a stable code. Besides what is "
    "here there are two WebSockets, /sessions/{session_id}/blendshapes and "
    "/sessions/{session_id}/pcm: the first sends the face, the second is described in docs/pcm.md."
)
_MEANING: Final = {
    400: "Not understood",
    401: "No token, or a wrong one",
    403: "Not from this page or under this name",
    404: "Unknown",
    408: "The request did not come in time",
    409: "Not in this state",
    413: "Too large",
    415: "Not JSON",
    422: "Not allowed in this form",
    429: "Too often",
    503: "Not now",
}


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    described = [operation for operation in OPERATIONS if operation.described]
    asked = {o.body for o in described if o.body is not None}
    answered: set[type[BaseModel]] = {
        m for o in described for m in o.answers.values() if not isinstance(m, str)
    }
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in asked),
        *((model, "serialization") for model in answered),
        (schemas.Error, "serialization"),
    ]
    _, definitions = models_json_schema(
        models,
        ref_template=_REF,
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in described:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "GoAssist",
            "version": version("goassist-desktop"),
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "browser": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)],
        "responses": {
            **{str(status): _answer(model) for status, model in operation.answers.items()},
            **{str(status): _error(status) for status in operation.all_errors
               if status not in operation.answers},
        },
        "security": [] if operation.open else [{"bearer": []}, {"key": []}, {"browser": []}],
    }  # fmt: skip
    if operation.method not in ("GET", "HEAD") and not operation.open:
        told["description"] = f"With a browser's cookie, {CSRF_HEADER} is needed too."
    if operation.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _schema(operation.body)}},
        }
    return told


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _answer(model: type[BaseModel] | str) -> dict[str, Any]:
    content: dict[str, Any]
    if isinstance(model, str):
        content = {model: {"schema": {}}}
    else:
        content = {"application/json": {"schema": _schema(model)}}
    if model is schemas.ChatAnswer:
        content["text/event-stream"] = {"schema": {}}
    return {"description": "Done", "headers": _headers(), "content": content}


def _error(status: int) -> dict[str, Any]:
    return {
        "description": _MEANING[status],
        "headers": _headers(retry=status in (429, 503)),
        "content": {"application/json": {"schema": _schema(schemas.Error)}},
    }


def _headers(*, retry: bool = False) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-ID": {"schema": {"type": "string"}, "required": True}}
    if retry:
        headers["Retry-After"] = {"schema": {"type": "integer"}, "required": True}
    return headers


def _schema(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
