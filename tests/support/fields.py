"""The table of a message's fields, as PROTOCOL.md has it: each with its type and with the text below it in the code."""

import ast
import inspect
from itertools import pairwise
from typing import Any

import msgspec

from node.protocol.messages import Message

_WORDS = {"boolean": "bool", "array": "list"}


def table_of(kind: type[Message]) -> str:
    """The fields that this message has beside its header; ValueError where one has no text."""
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    texts = _texts(kind)
    fields = msgspec.structs.fields(kind)[len(msgspec.structs.fields(Message)) :]
    missing = [field.name for field in fields if field.name not in texts]
    if missing:
        raise ValueError(f"{kind.__name__}: write below each of these fields what it says: {', '.join(missing)}")
    rows = [(f"`{each.encode_name}`", _type(schema[each.encode_name]), texts[each.name]) for each in fields]
    head = [("field", "type", "meaning"), ("---", "---", "---"), ("header", "3.1", "")]
    return "".join(f"| {name} | {of} |{f' {text} ' if text else ' '}|\n" for name, of, text in [*head, *rows])


def _texts(kind: type) -> dict[str, str]:
    """The text below each field that has one, on one line."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.split())
    return found


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    word = "object" if "$ref" in schema else schema["type"]
    return _WORDS.get(word, word)
