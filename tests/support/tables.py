"""Tables of the pages that are made of the code: each name that is declared, and the text below it."""

import ast
import inspect
from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import pairwise
from textwrap import dedent
from typing import Any

import msgspec

from node.protocol.messages import Message

_WORDS = {"boolean": "bool", "array": "list"}


def table_of_fields(kind: type[Message]) -> str:
    """The fields that this message has beside its header, each with its type."""
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    texts = _texts(kind)
    fields = msgspec.structs.fields(kind)[len(msgspec.structs.fields(Message)) :]
    rows = [(f"`{each.encode_name}`", _type(schema[each.encode_name]), texts[each.name]) for each in fields]
    return "| field | type | meaning |\n| --- | --- | --- |\n| header | 3.1 | |\n" + _lines(rows)


def table_of_words(kind: type[StrEnum], head: str, called: Callable[[Any], str] = str) -> str:
    """The words of this enumeration, as the page calls them."""
    texts = _texts(kind)
    return f"| {head} |\n| --- | --- |\n" + _lines((called(each), texts[each.name]) for each in kind)


def _lines(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _texts(kind: type) -> dict[str, str]:
    """The text below each name that the class declares, on one line; ValueError where one has none."""
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for declared, below in pairwise([*definition.body, ast.Pass()]):
        match declared:
            case ast.AnnAssign(target=ast.Name(name)) | ast.Assign(targets=[ast.Name(name)]):
                found[name] = _text(below)
                if not found[name]:
                    raise ValueError(f"{kind.__name__}.{name} has no text: write below it what it means")
    return found


def _text(statement: ast.stmt) -> str:
    match statement:
        case ast.Expr(ast.Constant(str(text))):
            return " ".join(text.split())
    return ""


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    word = "object" if "$ref" in schema else schema["type"]
    return _WORDS.get(word, word)
