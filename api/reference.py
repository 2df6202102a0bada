"""What the API says of itself: `/openapi.json`, and `/docs` as one page without scripts, readable without a network."""

from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

PROBLEM = "application/problem+json"
REFUSAL = {"$ref": "#/components/schemas/Problem"}


def add_reference(app: FastAPI) -> None:
    app.add_api_route("/api/v1/openapi.json", _document, include_in_schema=False, response_model=None)
    app.add_api_route("/docs", _docs, include_in_schema=False, response_class=HTMLResponse)


def _document(request: Request) -> dict[str, Any]:
    """Of the request's app, none closed over: FastAPI remembers every handler for good, and all that it holds."""
    document: dict[str, Any] = request.app.openapi()
    return document


def _docs(request: Request) -> HTMLResponse:
    return HTMLResponse(page(request.app.openapi()))


def problems_as_problem_json(app: FastAPI) -> None:
    """FastAPI writes refusals down with the media type of the route's answer; they are `application/problem+json`."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for operation in _operations(plain()):
                for answer in operation[2]["responses"].values():
                    if any(body.get("schema") == REFUSAL for body in answer.get("content", {}).values()):
                        answer["content"] = {PROBLEM: {"schema": REFUSAL}}
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def page(document: dict[str, Any]) -> str:
    """The routes and bodies of an OpenAPI document."""
    parts = "".join(_operation(*found) for found in _operations(document))
    bodies = "".join(_body(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(document["info"]["title"])} API</title>'
        f'<h1>{escape(document["info"]["title"])} API</h1><p>For programs: <a href="/openapi.json">openapi.json</a>. '
        "Send <code>Authorization: Bearer trapo_…</code>. Refusals are <code>application/problem+json</code>.</p>"
        f"<h2>Routes</h2>{parts}<h2>Bodies</h2>{bodies}</html>"
    )


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        (f"{parameter['name']} ({parameter['in']})", _type(parameter["schema"]), parameter.get("description", ""))
        for parameter in operation.get("parameters", [])
    ]
    rows += [
        ("body", _type(content["schema"]), "")
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    rows += [
        (f"answer {status}", " or ".join(_type(c.get("schema", {})) for c in answer.get("content", {}).values()), "")
        for status, answer in operation["responses"].items()
        if status < "400"
    ]
    text = escape(operation.get("description", ""))
    return f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{text}</p>{_table(rows)}"


def _body(name: str, schema: dict[str, Any]) -> str:
    rows = [
        (field, _type(found), found.get("description", "")) for field, found in schema.get("properties", {}).items()
    ]
    text = escape(schema.get("description", ""))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{text}</p>{_table(rows)}'


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = (f"<tr><td><code>{escape(a)}</code></td><td>{b}</td><td>{escape(c)}</td></tr>" for a, b, c in rows)
    return f"<table>{''.join(lines)}</table>" if rows else ""


def _type(schema: dict[str, Any]) -> str:
    """As HTML; other bodies are links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_type, several))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return escape(", ".join(map(str, schema["enum"])))
    return escape(str(schema.get("const", schema.get("type", "anything"))))
