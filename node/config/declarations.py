"""How a TOML file's tables and keys are declared: tables are msgspec Structs, and ``be`` says what a value must be.

All that is said of a key is made of its declaration: what is allowed, an example, its flag, its comment in the file.
"""

import json
from collections.abc import Callable
from enum import Enum
from typing import Any, get_args

from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields

Say = Callable[[str], str]
"""Translates one of this program's English texts; ``str`` leaves it English."""


def be(allowed: str, example: object, *, secret: bool = False, formerly: str = "", **limits: Any) -> Meta:
    """What a value must be: as words that follow "must be", as an example, and as msgspec's limits.

    A ``secret`` value isn't shown when it is wrong. ``formerly`` is an older name of the key, which is still read.
    If these words don't say what the key is for, write a text before them:
    ``Annotated[float, "how often the node says how it is", be("from 1 to 60 (seconds)", 10, ge=1, le=60)]``.
    """
    return Meta(description=allowed, examples=[example], extra={"secret": secret, "formerly": formerly}, **limits)


class Table(Struct, frozen=True):
    """A table of the file; it is an array of tables (``[[name]]``) if ``most`` is above 1.

    ``purpose`` says what the whole table is for, where its keys don't.
    """

    name: str
    keys: type[Struct]
    required: bool = True
    most: int = 1
    purpose: str = ""

    @property
    def heading(self) -> str:
        """The line with which the table begins in the file."""
        return f"[[{self.name}]]" if self.most > 1 else f"[{self.name}]"

    @property
    def declared(self) -> tuple[FieldInfo, ...]:
        """Its keys, in the order of their declaration."""
        return fields(self.keys)

    def flag(self, key: FieldInfo) -> str:
        """The command-line flag for this key."""
        return f"--{self.name}-{key.encode_name}".replace("_", "-")

    @property
    def missing(self) -> str:
        """The problem that this table is missing, and what to write."""
        lines = " / ".join(example(key) for key in self.declared if key.required)
        return f"{self.heading} is missing: write, each on a line of its own, {self.heading} / {lines}"


def key_of(keys: type[Struct], name: str) -> FieldInfo:
    """The declaration of a key, by its field's name."""
    return next(key for key in fields(keys) if key.name == name)


def allowed(key: FieldInfo) -> str:
    """What the value of this key must be, with an example."""
    return f"must be {_meta(key).description}, for example {example(key)}"


def example(key: FieldInfo) -> str:
    """A line of the file that is allowed for this key."""
    return f"{key.encode_name} = {toml(example_value(key))}"


def example_value(key: FieldInfo) -> Any:
    """A value that is allowed for this key."""
    examples = _meta(key).examples or []
    return examples[0]


def choices(key: FieldInfo) -> tuple[str, ...]:
    """The values that this key may have, as the file writes them without quotes; empty if they can't be listed."""
    declared = get_args(key.type)[0]
    if declared is bool:
        return ("true", "false")
    kinds = get_args(declared) or (declared,)
    literals = [kind for kind in kinds if isinstance(kind, str)]
    enums = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum)]
    return (*literals, *(str(member.value) for enum in enums for member in enum))


def purpose(key: FieldInfo) -> str:
    """What this key is for; empty if its "must be" already says that."""
    return next((text for text in key.type.__metadata__ if isinstance(text, str)), "")


def meaning(key: FieldInfo, say: Say = str) -> str:
    """What this key is for and what it must be, in sentences."""
    return " ".join(sentence(say(text)) for text in (purpose(key), _meta(key).description) if text)


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def is_secret(key: FieldInfo) -> bool:
    """Whether a wrong value of this key isn't shown."""
    return bool((_meta(key).extra or {}).get("secret"))


def older_name(key: FieldInfo) -> str:
    """What this key was called before; "" if it never had another name."""
    return str((_meta(key).extra or {}).get("formerly", ""))


def toml(value: object) -> str:
    """A value as the file has it, cut to stay readable on one line."""
    text = written(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def written(value: object) -> str:
    """A value as the file has it."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # sys.get_int_max_str_digits
        return "a number of thousands of digits"


def _meta(key: FieldInfo) -> Meta:
    """The outermost Meta of a key; the inner ones hold its type's limits."""
    meta: Meta = key.type.__metadata__[-1]
    return meta
