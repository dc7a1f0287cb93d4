"""What people read is said in their language: texts are written in English and translated by locale/.

A value that came over the network is one line of bounded length before it stands in a text.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files
from io import BytesIO
from string import Formatter

from babel import Locale
from babel.dates import format_datetime
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from node.errors.faults import FAULTS
from node.monitor.core.model.catalogue import FINDINGS
from node.monitor.core.model.monitor_settings import Language, Place
from node.monitor.core.model.records import NodeKey
from node.sanitize import plain

TITLE_LENGTH = 60
"""What an SMS shows of it."""

VALUE_LENGTH = 200

SAID = "said"
"""The context of those texts of the catalog that the program says in English where it knows no language."""


def mark(text: str) -> str:
    """A text that is translated where it is used: this only lets it be found."""
    return text


SYSTEM = mark("the system says: {words}")
QUOTED = mark("“{words}”")
FOREIGN = {"why": SYSTEM, "detail": QUOTED, "reason": QUOTED}
"""The values of a text that may be somebody else's words, and how those are quoted."""

_LOCALES: Mapping[Language, Locale] = {"de": Locale("de", "DE"), "en": Locale("en", "GB")}


@cache
def catalog(language: Language) -> Catalog | None:
    """The translations into ``language``; None for English, in which the texts are written.

    LookupError where a code has no text or no next step in it: at the start, not when the code is first reported.
    """
    if language == "en":
        return None
    data = files("node.monitor").joinpath("locale", language, "LC_MESSAGES", "monitor.po").read_bytes()
    made = read_po(BytesIO(data), locale=language)
    texts = [
        (kind.code, text) for kind in (*FAULTS.values(), *FINDINGS.values()) for text in (kind.text, kind.next_step)
    ]
    missing = [code for code, text in texts if not (made.get(text) or made.get(text, SAID))]
    if missing:
        raise LookupError(f"monitor.po ({language}) lacks the text or the next step of {', '.join(missing)}")
    return made


@cache
def patterns(language: Language) -> Sequence[tuple[re.Pattern[str], str]]:
    """How texts with values in them are known, and what they are in ``language``.

    In these ``{code}`` is a code, ``{problem}`` a text that has to be known itself, ``{why}`` one that may be. Those
    with a problem come first, since nothing else is sure to be what it looks like; then the most exact ones. Last come
    those that have no word of their own: they fit half of a longer text.
    """
    made = catalog(language)
    texts = [] if made is None else [(str(each.id), str(each.string)) for each in made if each.context == SAID]
    own = {text: re.sub(r"\{\w+\}", "", text) for text, _ in texts}
    texts.sort(key=lambda pair: ("{problem}" not in pair[0] or not re.search(r"\w", own[pair[0]]), -len(own[pair[0]])))
    return [(re.compile(_pattern(text), re.DOTALL), german) for text, german in texts if "{" in text]


def _pattern(text: str) -> str:
    made = ""
    for literal, name, _, _ in Formatter().parse(text):
        made += re.escape(literal)
        if name is not None:
            made += rf"(?P<{name}>{'[A-Z][0-9]{3}' if name == 'code' else '.+?'})"
    return made


def one_line(value: object, length: int = VALUE_LENGTH) -> str:
    """This value without line breaks and what else steers a display, cut where it is longer than ``length``."""
    text = plain(str(value)).strip()
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def local(when: datetime, zone: tzinfo | None = None) -> datetime:
    """In the zone (None: this machine's); as it is, where that has no such date: in the years 1 and 9999."""
    try:
        return when.astimezone(zone)
    except (OverflowError, ValueError):
        return when


class Words:
    """One language, the zone in which times are told, and where the nodes are."""

    def __init__(self, language: Language, zone: tzinfo, places: Mapping[NodeKey, Place]) -> None:
        self._language = language
        self._catalog = catalog(language)
        self._locale = _LOCALES[language]
        self._zone = zone
        self._places = places

    def translate(self, text: str) -> str:
        """A text of this program; one that has no translation stays English."""
        message = None if self._catalog is None else self._catalog.get(text)
        return str(message.string) if message is not None and message.string and not message.fuzzy else text

    def one_of(self, texts: Mapping[str, str], value: str) -> str:
        """What ``texts`` has for this value; another value is a name, or somebody's own words, and stays as it is."""
        return self.translate(texts[value]) if value in texts else value

    def retold(self, text: str) -> str:
        """What the program has said in English, its values in it; what isn't known stays as it is."""
        return self._retold(text) or text

    def foreign(self, text: str, quoting: str = SYSTEM) -> str:
        """Words of the system, a server or a person: as the catalogue has them, else in quotes.

        ``quoting`` says whose they are, with {words} in it. In English they stand as they are: so most of them come.
        """
        known = self._retold(text)
        return self.translate(quoting).format(words=text) if known is None else known

    def _retold(self, text: str) -> str | None:
        if self._catalog is None or not text:
            return text
        for context in (SAID, None):
            message = self._catalog.get(text, context)
            if message is not None and message.string:
                return str(message.string)
        for pattern, german in patterns(self._language):
            found = pattern.fullmatch(text)
            values = None if found is None else self._values(found.groupdict())
            if values is not None:
                return german.format(**values)
        return None

    def _values(self, found: Mapping[str, str]) -> dict[str, str] | None:
        """What stands in a text, itself retold or quoted where it is words; None where a ``problem`` isn't known."""
        values = dict(found)
        for name in found.keys() & FOREIGN.keys():
            values[name] = self.foreign(found[name], FOREIGN[name])
        if "problem" in found:
            known = self._retold(found["problem"])
            if known is None:
                return None
            values["problem"] = known
        return values

    def say(self, text: str, **values: object) -> str:
        """The text with its values."""
        return self.translate(text).format(**{name: one_line(value) for name, value in values.items()})

    def title(self, text: str, **values: object) -> str:
        """The text with its values, so short that it is shown whole."""
        return one_line(self.say(text, **values), TITLE_LENGTH)

    def time(self, when: datetime) -> str:
        """Date and time of day in the zone."""
        return format_datetime(local(when, self._zone), "medium", locale=self._locale)

    def number(self, value: int) -> str:
        """With the language's own marks."""
        return format_decimal(value, locale=self._locale)

    def place(self, site: str, node: str) -> str:
        """Where it is, in short: what the roster says, or the node's name."""
        if not node:
            return site or self.say("the monitor")
        known = self._places.get(NodeKey(site, node))
        return (known.location if known is not None else "") or f"{site}/{node}"

    def whereabouts(self, site: str, node: str) -> str:
        """Where it is, whole: location, floor, site and node."""
        short, name = self.place(site, node), str(NodeKey(site, node))
        known = self._places.get(NodeKey(site, node))
        if known is not None and known.floor:
            return self.say("{place} (floor {floor}, {name})", place=short, floor=known.floor, name=name)
        return short if not node or short == name else self.say("{place} ({name})", place=short, name=name)
