"""The sections of the codes in both guides: their head, and all of a section to which nobody has added anything."""

import re
from datetime import UTC

from node.errors.faults import FAULTS
from node.monitor.core.model.catalogue import FINDINGS
from node.monitor.core.model.monitor_settings import Language
from node.monitor.core.model.next_steps import general_step
from node.monitor.locale.translation import Words

NEXT = {"en": "Next", "de": "Zu tun"}


def with_codes(language: Language, present: str) -> str:
    """This guide with a section for each code, in the order of the codes, that begins with its text and severity.

    A section that has nothing but a next step is made whole: its text says in short what it means. What people add
    (meaning, risk, and a longer next step) stays.
    """
    words = Words(language, UTC, {})
    parts = re.split(r"^(?=<a id=|##)", present, flags=re.MULTILINE)
    for code, kind in sorted({**FAULTS, **FINDINGS}.items()):
        head = f"### {code}\n\n**{words.translate(kind.text)}** ({words.translate(kind.severity)})\n\n"
        step = f"- {NEXT[language]}: {words.retold(general_step(kind))}\n\n"
        places = {found[1]: place for place, part in enumerate(parts) if (found := re.match(r"### ([FM]\d+)\n", part))}
        if code not in places:
            earlier = max(each for each in places if each[0] == code[0] and each < code)
            parts.insert(places[earlier] + 1, head + step)
            continue
        _, _, added = parts[places[code]].split("\n\n", 2)
        is_bare = re.fullmatch(rf"- {NEXT[language]}: .*\n\n", added) is not None
        parts[places[code]] = head + (step if is_bare else added)
    return "".join(parts)
