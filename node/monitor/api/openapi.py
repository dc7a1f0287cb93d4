"""The API's description (OpenAPI 3.1), made of the table of operations and of the types that it names."""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from node.monitor.api.operations.operation import Nothing, Operation
from node.monitor.api.operations.operation_table import OPERATIONS, PREFIX
from node.monitor.api.problems import MEDIA_TYPE, Problem
from node.monitor.core.model.records import Role

_TEMPLATE = "#/components/schemas/{name}"


@cache
def document(version: str) -> bytes:
    """The document, as JSON, of this version of the monitor."""
    kinds = {kind for each in OPERATIONS for kind in (each.answers, each.body)} | {Problem, Nothing}
    ordered = sorted(kinds, key=str)
    references, schemas = msgspec.json.schema_components(ordered, ref_template=_TEMPLATE)
    referred = dict(zip(ordered, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        described = _described(operation, referred)
        paths.setdefault(f"{PREFIX}{operation.route}", {})[operation.method.lower()] = described
    told = {
        "openapi": "3.1.0",
        "info": {
            "title": "alarm-monitor",
            "version": version,
            "description": "Every node of the building: how it is, what it called for, and what can be done.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"Roles, each with the rights of those before it: {', '.join(Role)}.",
                }
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }
    # ECMAScript, whose patterns these are, has no \Z, and its $ means just that.
    return msgspec.json.encode(told).replace(rb"\\Z", b"$")


def _described(operation: Operation, referred: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    well = _response(operation.status, referred[operation.answers], "application/json")
    ends = {str(end.value): _response(end, referred[Problem], MEDIA_TYPE) for end in _ends(operation)}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"For the role {operation.role}.",
        "parameters": [*_parameters(operation.path, "path"), *_parameters(operation.query, "query")],
        "responses": {str(operation.status.value): well, **ends},
    }
    if operation.body is not Nothing:
        content = {"application/json": {"schema": referred[operation.body]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameters(kind: type[Struct], place: str) -> Iterator[dict[str, Any]]:
    _, components = msgspec.json.schema_components([kind], ref_template=_TEMPLATE)
    schema = components[kind.__name__]
    for field in fields(kind):
        told = dict(schema["properties"][field.encode_name])
        description = told.pop("description", None)
        parameter = {"name": field.encode_name, "in": place, "required": field.required, "schema": _given(told)}
        yield parameter | ({} if description is None else {"description": description})


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """What a parameter is where it is given: null is what it is otherwise, and can't be written."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return {**kinds[0], **{name: schema[name] for name in ("default",) if schema.get(name) is not None}}


def _ends(operation: Operation) -> Iterator[HTTPStatus]:
    """How it may end but well."""
    yield HTTPStatus.UNAUTHORIZED
    yield HTTPStatus.FORBIDDEN
    yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    yield HTTPStatus.TOO_MANY_REQUESTS
    yield HTTPStatus.SERVICE_UNAVAILABLE
    yield HTTPStatus.UNPROCESSABLE_ENTITY
    if "{" in operation.route or operation.query is not Nothing or operation.changes:
        yield HTTPStatus.NOT_FOUND
    if operation.query is not Nothing:
        yield HTTPStatus.REQUEST_URI_TOO_LONG
    if operation.method != "GET":
        yield HTTPStatus.BAD_REQUEST
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if operation.changes:
        yield HTTPStatus.CONFLICT
        yield HTTPStatus.GATEWAY_TIMEOUT


def _response(status: HTTPStatus, schema: dict[str, Any], media_type: str) -> dict[str, Any]:
    return {"description": status.phrase, "content": {media_type: {"schema": schema}}}
