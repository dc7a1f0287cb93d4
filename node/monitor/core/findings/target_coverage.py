"""Finds calls that nobody would be told of: sites and classes that no first-level target takes. Pure.

1. The classes of a site are those of its nodes' calls: as their heartbeats say, or else as the roster says. If neither
   is known of any node of a site, all classes count.
2. A finding names a site and a class, or only the site if no class of it is taken. Right after a start the nodes
   haven't been heard yet, so for ``HEARD_S`` only sites of which no class is taken are found.
3. If an isolated target would take such calls, the finding names that target.
"""

from collections.abc import Collection, Iterable, Mapping

from node.core.settings import AlarmClass
from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.model.catalogue import UNREACHED, WOULD_TAKE, own_key
from node.monitor.core.model.monitor_settings import Place, Settings, Target
from node.monitor.core.nodes.node import Tracked

HEARD_S = 60.0

Classes = Mapping[str, Collection[AlarmClass]]
"""Of each site the classes of its nodes' calls. If a site isn't in it, its classes aren't known."""


def unreached(sites: Iterable[str], classes: Classes, targets: Iterable[Target]) -> list[str]:
    """What no first-level target takes: ``site/class``, or ``site`` if nothing of the site is taken."""
    first = [target for target in targets if target.level == 0]
    found = []
    for site in sites:
        takers = [target for target in first if not target.sites or site in target.sites]
        missing = [
            each
            for each in AlarmClass
            if each in (classes.get(site) or AlarmClass) and not any(_takes(target, each) for target in takers)
        ]
        found += [f"{site}/{each}" for each in missing] if takers else [site]
    return found


def of_roster(roster: Iterable[Place]) -> Classes:
    """The classes that nodes.toml names."""
    made: dict[str, set[AlarmClass]] = {}
    for place in roster:
        made.setdefault(place.key.site, set()).update(place.classes)
    return made


def _takes(target: Target, alarm_class: AlarmClass) -> bool:
    return not target.classes or alarm_class in target.classes


class TargetCoverage:
    """Compares the targets in ``settings`` with what is known of the nodes."""

    def __init__(self, ledger: Ledger, now: Moment, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._heard_at = now.at + HEARD_S

    def review(self, now: Moment, nodes: Iterable[Tracked], absent: Collection[str] = ()) -> None:
        """Find the calls that nobody would be told of now. ``absent``: the targets that are isolated."""
        settings = self._settings
        targets = [each for each in settings.targets if each.name not in absent]
        found = unreached(settings.sites, _classes(nodes), targets)
        if now.at < self._heard_at:
            found = [each for each in found if each in settings.sites]
        keys = {own_key(UNREACHED, settings.monitor, each): self._isolated(each, absent) for each in found}
        if now.at >= self._heard_at:
            for key in [each for each in self._ledger.open if each.code == UNREACHED.code and each not in keys]:
                self._ledger.clear(now, key)
        for key in sorted(keys):
            self._ledger.raise_finding(now, key, detail=keys[key])

    def _isolated(self, calls: str, absent: Collection[str]) -> str:
        """The detail that names the isolated targets which would take such calls; "" if there are none."""
        site, _, name = calls.partition("/")
        asked = [AlarmClass(name)] if name else list(AlarmClass)
        names = [
            each.name
            for each in self._settings.targets
            if each.name in absent and each.level == 0 and (not each.sites or site in each.sites)
            if any(_takes(each, alarm_class) for alarm_class in asked)
        ]
        return f"{WOULD_TAKE}{', '.join(names)}" if names else ""


def _classes(nodes: Iterable[Tracked]) -> Classes:
    made: dict[str, set[AlarmClass]] = {}
    for tracked in nodes:
        beat = tracked.heartbeat
        listed = () if tracked.place is None else tracked.place.classes
        heard = () if beat is None else {each.alarm_class for each in beat.inputs.values() if each.alarm_class}
        made.setdefault(tracked.key.site, set()).update(heard or listed)
    return made
