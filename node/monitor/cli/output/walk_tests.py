"""What ``walk-test list`` prints: the walk tests that are running, and what their buttons still lack."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from node.monitor.cli.output.status import print_line
from node.monitor.locale.translation import Words, mark


def show_walk_tests(walks: Iterable[Mapping[str, Any]], words: Words) -> None:
    """Print the walk tests that hold: what was tested, and what still waits."""
    walks = list(walks)
    if not walks:
        print_line(words.say("no walk test is running: every press is real"))
    tested, untested = words.say("tested"), words.say("untested")
    width = max(len(tested), len(untested)) + 1
    for walk in walks:
        left, by = words.say("{minutes} min left", minutes=f"{walk['left_s'] / 60:.0f}"), walk["by"]
        print_line("  ".join((walk["id"], walk["site"], left, words.say("by {desk}", desk=by))))
        print_line(f"  {tested + ':':{width}} {', '.join(walk['tested']) or '-'}")
        print_line(f"  {untested + ':':{width}} {', '.join(walk['untested']) or '-'}")
        # A monitor that was started before this command was installed has none of these.
        for names, real_at in (
            (walk.get("unreadable"), mark("can't be tested now (F001)")),
            (
                walk.get("real"),
                mark("pressed a moment ago or in another walk test, so their next press raises an alarm"),
            ),
            (walk.get("not_testing"), mark("a press raises an alarm at")),
        ):
            if names:
                print_line(f"  {words.translate(real_at)}: {', '.join(names)}")
        for later, names in _lasting(walk, walks):
            minutes = f"{later['left_s'] / 60:.0f}"
            text = words.say(
                "a first press is a test until {id} ends, in {minutes} min", id=later["id"], minutes=minutes
            )
            print_line(f"  {text}: {', '.join(names)}")


def _lasting(
    walk: Mapping[str, Any], walks: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
    """The walk tests that end later, with the nodes of this one that test until then: each with the last one of it."""
    later = [each for each in walks if each["site"] == walk["site"] and each["left_s"] > walk["left_s"]]
    left = set(walk.get("nodes", ())) - set(walk.get("not_testing", ()))
    for each in sorted(later, key=lambda each: -each["left_s"]):
        names = left & set(each.get("nodes", ()))
        left -= names
        if names:
            yield each, sorted(names)
