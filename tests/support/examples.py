"""With how many examples a property is tried: few while somebody works, all of them in ``make search``."""

from hypothesis import HealthCheck, settings

# How fast examples are made says how busy the machine is, and nothing about the program. `make quick` and `make test`
# try the same ones each time: what they find was in the change. `make search` tries others at every run.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
_QUICK, _GATE, _SEARCH = "quick", "gate", "search"
_SHARES = {_QUICK: 0.05, _GATE: 0.4}


def register_profiles() -> None:
    """Make the profiles known, and use the gate's where the command line names none (``--hypothesis-profile``)."""
    settings.register_profile(_QUICK, _UNHURRIED, derandomize=True, max_examples=10)
    settings.register_profile(_GATE, _UNHURRIED, derandomize=True)
    settings.register_profile(_SEARCH, _UNHURRIED)
    settings.load_profile(_GATE)


def examples(whole: int) -> int:
    """How many of these are tried in this run."""
    return max(10, round(whole * _SHARES.get(settings.get_current_profile_name(), 1.0)))
