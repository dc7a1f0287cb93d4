"""What a message to people is made of, and how it counts what it doesn't name."""

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from node.monitor.core.model.records import Notice
from node.monitor.locale.translation import Words

NAMED = 20
"""How many notices a message names; it counts the rest by site, so its length doesn't grow with the fleet."""

SITES_NAMED = 10


class Mood(Enum):
    """What a display may show beside a text."""

    ALARM = "alarm"
    WARNING = "warning"
    GOOD = "good"


class Message(NamedTuple):
    """A message in plain text. ``title`` is one line."""

    title: str
    body: str
    mood: Mood


def rest_of(notices: Sequence[Notice], words: Words) -> str:
    """One line about the notices that aren't named."""
    count = words.number(len(notices))
    return words.say("- and {count} more: {sites}", count=count, sites=by_site(notices, words))


def by_site(notices: Sequence[Notice], words: Words) -> str:
    """How many of these notices each site has."""
    counted = Counter(each.site or words.say("the monitor") for each in notices)
    named = [f"{site} {words.number(count)}" for site, count in counted.most_common(SITES_NAMED)]
    return ", ".join(named) + (", …" if len(counted) > SITES_NAMED else "")
