"""How often a test tries what it tries: seldom while somebody works, as often as it can in ``make search``.

Properties take their number of examples from here. So do the tests that are marked ``many``: they repeat something by
themselves. ``make search`` runs both, with the whole number. ``make test`` runs them with a share of it.
"""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import HealthCheck, settings

# How fast examples are made says how busy the machine is, and nothing about the program. `make quick` and `make test`
# try the same ones each time: what they find was in the change. `make search` tries others at every run.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
_QUICK, _GATE, _SEARCH = "quick", "gate", "search"
_SHARES = {_QUICK: 0.05, _GATE: 0.1}

_T = TypeVar("_T")


def register_profiles() -> None:
    """Make the profiles known, and use the gate's where the command line names none (``--hypothesis-profile``).

    Hypothesis loads the command line's before pytest imports a test file. So a file may ask ``examples`` at its top.
    """
    settings.register_profile(_QUICK, _UNHURRIED, derandomize=True, max_examples=10)
    settings.register_profile(_GATE, _UNHURRIED, derandomize=True, max_examples=30)
    settings.register_profile(_SEARCH, _UNHURRIED)
    settings.load_profile(_GATE)


def examples(whole: int, least: int = 10) -> int:
    """How many of these are tried in this run, but at least so many."""
    profile = settings.get_current_profile_name().partition("-with-")[0]  # "gate-with-verbose-verbosity", say
    return max(least, round(whole * _SHARES.get(profile, 1.0)))


def some(whole: Sequence[_T], least: int = 5) -> list[_T]:
    """Those of these that are tried in this run, evenly spread: the first, the last and others between."""
    count = min(len(whole), examples(len(whole), least))
    return [whole[round(number * (len(whole) - 1) / (count - 1))] for number in range(count)]
