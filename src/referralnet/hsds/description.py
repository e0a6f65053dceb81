"""The OpenAPI document of these endpoints, made from the same table that serves them."""

from __future__ import annotations

from typing import Any

from referralnet.hsds.resources import MEANINGS, RESOURCES, Resource

_PAGE = {
    "total_items": "integer", "total_pages": "integer", "page_number": "integer", "size": "integer",
    "first_page": "boolean", "last_page": "boolean", "empty": "boolean", "contents": "array",
}  # fmt: skip


def describe(base_url: str) -> dict[str, Any]:
    """OpenAPI 3.1, with the server's own address in it."""
    paths: dict[str, Any] = {"/hsds/": {"get": _operation("about", "What this API is.", (), {"type": "object"})}}
    for resource in RESOURCES:
        page = {"type": "object", "properties": {name: {"type": kind} for name, kind in _PAGE.items()}}
        listed = _operation(f"list_{resource.name}", f"Public {resource.name}, in pages.", resource.parameters, page)
        paths[resource.path] = {"get": listed}
        paths[f"{resource.path}/{{id}}"] = {"get": _alone(resource)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Public directory (HSDS 3.1)", "version": "3.1"},
        "servers": [{"url": base_url}],
        "paths": paths,
    }


def _alone(resource: Resource) -> dict[str, Any]:
    operation = _operation(f"read_{resource.table}", "One, with everything nested.", resource.alone, {"type": "object"})
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    operation["parameters"].append(identifier)
    operation["responses"]["404"] = {"description": "There is none, or none that is public."}
    return operation


def _operation(name: str, summary: str, parameters: tuple[str, ...], schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [
            {"name": one, "in": "query", "schema": {"type": MEANINGS[one][0]}, "description": MEANINGS[one][1]}
            for one in parameters
        ],
        "responses": {
            "200": {"description": "As asked.", "content": {"application/json": {"schema": schema}}},
            "304": {"description": "The ETag given is still current."},
            "400": {"description": "A parameter is wrong; the problem names it."},
        },
    }
