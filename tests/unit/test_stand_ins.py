"""A library that imports for others: what it gets instead, and what it can still do with it."""

import sys
from importlib import import_module

import pytest

from node.stand_ins import stand_ins

PACKAGE, MODULE = "wsgiref", "wsgiref.headers"
"""Of Python, and used by no test."""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has imported neither; afterwards all is as it was."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == PACKAGE}
    for name in before:
        monkeypatch.delitem(sys.modules, name)
    import_module(PACKAGE)
    monkeypatch.setitem(sys.modules, PACKAGE, sys.modules[PACKAGE])


def test_a_name_of_a_stand_in_imports_the_real_module_when_it_is_called() -> None:
    """And gives what the real one gives."""
    with stand_ins(MODULE):
        from wsgiref.headers import Headers  # noqa: PLC0415 - it is what is tested
    assert MODULE not in sys.modules

    made = Headers([("a", "b")])

    assert made["a"] == "b"
    assert MODULE in sys.modules


def test_a_library_that_has_imported_the_whole_module_finds_its_names() -> None:
    """``import wsgiref.headers`` binds the package, which has the stand-in."""
    with stand_ins(MODULE):
        import wsgiref.headers  # noqa: PLC0415 - it is what is tested
    assert MODULE not in sys.modules

    assert wsgiref.headers.Headers([("a", "b")])["a"] == "b"


def test_whoever_imports_the_module_afterwards_gets_the_real_one() -> None:
    """A stand-in is for the library alone."""
    with stand_ins(MODULE):
        stand_in = import_module(MODULE)

    real = import_module(MODULE)

    assert real is not stand_in
    assert isinstance(real.Headers, type)
    assert sys.modules[PACKAGE].headers is real


def test_a_module_that_is_there_already_stays() -> None:
    """Others have it, and it costs nothing more."""
    real = import_module(MODULE)

    with stand_ins(MODULE):
        assert import_module(MODULE) is real

    assert sys.modules[MODULE] is real
