"""Long lists a page at a time. A cursor is where a page ended, so nothing is left out while the list changes."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

T = TypeVar("T")

Cursor = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,1024}\Z", description="the `next` of the page before")]
Limit = Annotated[int, Meta(ge=1, le=1000, description="how many at most")]


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Some of a list; ``next`` is the cursor for those after them, null at the end."""

    items: tuple[T, ...]
    next: str | None = None


def page_of(items: Iterable[T], key: Callable[[T], tuple[str, ...]], limit: int, cursor: str | None) -> Page[T]:
    """The first ``limit`` of the items after ``cursor``, in the order of their keys, which all differ.

    ValueError where the cursor is none of ours.
    """
    ordered = sorted(items, key=key)
    start = 0 if cursor is None else bisect_right(ordered, _key(cursor), key=key)
    shown = tuple(ordered[start : start + limit])
    more = start + limit < len(ordered)
    return Page(items=shown, next=_cursor(key(shown[-1])) if more else None)


def _cursor(key: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def _key(cursor: str) -> tuple[str, ...]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=tuple[str, ...])
    except (binascii.Error, UnicodeError, msgspec.MsgspecError) as error:
        raise ValueError(cursor) from error
