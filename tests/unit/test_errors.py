"""Each code is of one error, and no error goes without."""

import pytest

from node.errors import ERRORS, AlarmNodeError, ConfigError
from node.errors.faults import FAULTS
from node.monitor.core.model.catalogue import FINDINGS


@pytest.mark.parametrize("fields", [{}, {"code": ConfigError.code}])
def test_a_class_without_a_code_of_its_own_fails_at_import(fields: dict[str, str]) -> None:
    """Its code would be another error's, and whoever looks it up would read the wrong section."""
    with pytest.raises(TypeError, match="needs a code of its own"):
        type("SecondError", (AlarmNodeError,), fields)

    assert ERRORS[ConfigError.code] is ConfigError


def test_each_table_has_the_codes_of_its_letter() -> None:
    """A fault that a module imports doesn't become a finding of the monitor."""
    assert {code[0] for code in FAULTS} == {"F"}
    assert {code[0] for code in FINDINGS} == {"M"}


@pytest.mark.parametrize(
    ("path", "program", "absent", "step"),
    [
        ("/etc/alarm-node/node.toml", "alarm-node", True, "write it: sudo alarm-node init"),
        ("/etc/alarm-monitor/monitor.toml", "alarm-monitor", True, "write it: sudo alarm-monitor init"),
        ("x/node.toml", "alarm-node", True, "write it: alarm-node init --config x/node.toml"),
        ("/etc/alarm-node/node.toml", "alarm-node", False, "then run: sudo alarm-node check"),
        ("x/node.toml", "alarm-node", False, "then run: alarm-node check --config x/node.toml"),
    ],
)
def test_the_next_step_of_a_configuration_can_be_typed(path: str, program: str, absent: bool, step: str) -> None:
    """It names the file that was meant; sudo stands where only root may write."""
    error = ConfigError((f"{path}: [lamp] is missing",), path, program, absent=absent)

    assert error.next_step.endswith(step)
