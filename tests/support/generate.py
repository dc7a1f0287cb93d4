"""What is generated from the code and committed.

JSON Schemas, the README's state diagram, monitor.toml's example, the shells' completion, man pages, the alerts of
findings, and in the pages the sections of codes and the tables of inputs, of events and of a heartbeat's fields.

    python -m tests.support.generate

writes all of it anew; tests/deploy/test_generated.py tells when that is due.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from node.core import signals
from node.core.alarm import TRANSITIONS, Happening
from node.core.model import EventKind, Incident, Key, Step
from node.core.settings import AlarmClass, Lamp, Role
from node.core.signals import LampPattern
from node.monitor.config.init_files import monitor_text
from node.protocol.messages import HeartbeatMessage
from node.protocol.schema import schemas
from tests.support.alerts import with_alerts
from tests.support.codes import with_codes
from tests.support.completion import PROGRAMS, script
from tests.support.manual import PAGES, page
from tests.support.tables import table_of_fields, table_of_words

COMMAND = "python -m tests.support.generate"
ROOT = Path(__file__).parents[2]

Table = Mapping[tuple[Step, Happening], Step]

_NORMAL = "[*]"
_ANY = "any"
_LOOKS = {
    LampPattern.CALLING: "fast",
    LampPattern.RECEIVED: "double flash",
    LampPattern.ACKNOWLEDGED: "steady",
    LampPattern.NOBODY: "slow, even",
}


def schema_document(_present: str = "") -> str:
    """The text of deploy/design/protocol.schema.json."""
    return json.dumps(schemas(), indent=2, ensure_ascii=False) + "\n"


def monitor_example(_present: str = "") -> str:
    """The text of deploy/monitor.example.toml: what ``alarm-monitor init --language en`` writes into /etc."""
    return monitor_text(
        monitor="guard-desk",
        sites=["mitte"],
        host="127.0.0.1",
        port=1883,
        language="en",
        roster="/etc/alarm-monitor/nodes.toml",
    )


def between(name: str, text: str, present: str) -> str:
    """This page with the text between the markers of this name; ValueError where they are missing."""
    before, begin, rest = present.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->\n")
    if not begin or not end:
        raise ValueError(f"write <!-- {name} --> and <!-- /{name} -->, each on a line of its own")
    return before + begin + text + end + after


def with_diagram(present: str) -> str:
    """This README with the diagram of the transitions."""
    return between("transitions", f"```mermaid\n{diagram()}```\n", present)


def with_roles(present: str) -> str:
    """This README with what an input does, by its role."""
    return between("roles", table_of_words(Role, "input | then", _called), present)


def _called(role: Role) -> str:
    """The kind of input and, where that has several roles, its mode."""
    return re.sub(rf"^{role.kind}-(.+)", rf"{role.kind}, `\1`", role)


def with_fields(present: str) -> str:
    """This page of the protocol with the fields of a heartbeat."""
    return between("heartbeat", table_of_fields(HeartbeatMessage), present)


def with_events(present: str) -> str:
    """This guide with the kinds of events."""
    return between("events", table_of_words(EventKind, "event | means"), present)


def diagram(table: Table = TRANSITIONS) -> str:
    """The transitions as Mermaid draws them.

    What leads from every open step to one and the same is drawn once, from "any open call"; several happenings between
    the same two steps share an edge.
    """
    states = [f'state "{step} (lamp: {_LOOKS[_lamp(step)]})" as {step}' for step in _open_steps(table)]
    edges = [f"{source} --> {target}: {' / '.join(happenings)}" for (source, target), happenings in _edges(table)]
    lines = [f'state "any open call" as {_ANY}', *states, *edges]
    return "stateDiagram-v2\n" + "".join(f"    {line}\n" for line in lines)


def main() -> None:
    """Write every generated document anew."""
    for path, make in DOCUMENTS.items():
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        path.parent.mkdir(exist_ok=True)
        path.write_text(make(present), encoding="utf-8")


DOCUMENTS: dict[Path, Callable[[str], str]] = {
    ROOT / "deploy" / "design" / "protocol.schema.json": schema_document,
    ROOT / "deploy" / "design" / "PROTOCOL.md": with_fields,
    ROOT / "deploy" / "monitor.example.toml": monitor_example,
    ROOT / "README.md": lambda present: with_diagram(with_roles(present)),
    ROOT / "deploy" / "guides" / "OPERATIONS.md": lambda present: with_codes("en", with_events(present)),
    ROOT / "deploy" / "guides" / "OPERATIONS.de.md": partial(with_codes, "de"),
    ROOT / "deploy" / "prometheus" / "alarm-node.rules.yml": with_alerts,
    **{
        ROOT / "deploy" / "completion" / name.format(program): partial(script, program, shell)
        for program in PROGRAMS
        for shell, name in (("bash", "{}.bash"), ("zsh", "_{}"), ("fish", "{}.fish"))
    },
    **{ROOT / "deploy" / "man" / name: partial(page, name) for name in PAGES},
}
"""Each generated file, and what makes its text out of the present one."""


def _open_steps(table: Table) -> list[Step]:
    return list(dict.fromkeys(step for step, _ in table if step is not Step.NORMAL))


def _edges(table: Table) -> list[tuple[tuple[str, str], list[Happening]]]:
    """The happenings of each edge, by the names of its two ends, in the order of the table."""
    edges: dict[tuple[str, str], list[Happening]] = {}
    for (step, happening), target in table.items():
        source = _ANY if step is not Step.NORMAL and _is_common(table, happening, target) else _name(step)
        happenings = edges.setdefault((source, _name(target)), [])
        if happening not in happenings:
            happenings.append(happening)
    return list(edges.items())


def _is_common(table: Table, happening: Happening, target: Step) -> bool:
    """Whether this leads from every open step to ``target``; from ``target`` itself it needn't lead anywhere."""
    missing = {target: target}
    return all(table.get((step, happening), missing.get(step)) is target for step in _open_steps(table))


def _name(step: Step) -> str:
    return _NORMAL if step is Step.NORMAL else step.value


def _lamp(step: Step) -> LampPattern:
    """What the lamp shows of a call that has got so far."""
    incident = Incident(
        id="0badcafe-1",
        input="button",
        alarm_class=AlarmClass.THREAT,
        loud=True,
        lamp=Lamp.SHOWN,
        step=step,
        press=Key("0badcafe", 1),
        presses=1,
        since_utc=0.0,
    )
    return signals.lamp([incident], faulty=False)


if __name__ == "__main__":
    main()
