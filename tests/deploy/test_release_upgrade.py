"""An upgrade of a node from Debian 12 to Debian 13, as apt plans it: INSTALL.md says what becomes of the package.

Nothing is upgraded: apt has the lists of Debian 13, and the status of a Debian 12 where the node is installed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booted import architecture, install, new_roots
from tests.support.installation import package
from tests.support.recipe import Command, recipe
from tests.vm.cache import Cache, user_cache
from tests.vm.debian import Archive, UnavailableError

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def status(index: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What dpkg knows in a Debian 12 with the node."""
    with new_roots(["bookworm"], tmp_path_factory) as roots:
        install(roots["bookworm"], package("alarm-node", "bookworm", architecture(), tmp_path_factory))
        yield roots["bookworm"] / "var/lib/dpkg/status"


@pytest.fixture(scope="module")
def newer(index: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for Debian 13."""
    return package("alarm-node", "trixie", architecture(), tmp_path_factory)


def planned(status: Path, *named: Path) -> list[str]:
    """Each thing that an upgrade of the whole system would do to the node, with these packages named in the command."""
    archive = Archive("trixie", architecture(), Cache(user_cache()))
    try:
        told = archive.plan(status, "dist-upgrade", *map(str, named))
    except UnavailableError as reason:
        pytest.skip(f"Debian 13's lists can't be had here: {reason}")
    assert "Inst python3 [3.11" in told
    return [line for line in told.splitlines() if line.split()[1:2] == ["alarm-node"]]


def test_an_upgrade_without_the_new_package_removes_the_node(status: Path) -> None:
    """Its Python is gone: the guide says that the button is dead then."""
    assert [line.split()[0] for line in planned(status)] == ["Remv"]


def test_an_upgrade_that_names_the_new_package_keeps_the_node(status: Path, newer: Path) -> None:
    """As the guide has people type it."""
    done = planned(status, newer)

    assert [line.split()[0] for line in done] == ["Inst", "Conf"]
    assert "~deb12]" in done[0]
    assert "~deb13 " in done[0]
    assert any(
        isinstance(each, Command) and "apt full-upgrade ./alarm-node_" in each.text for each in recipe("INSTALL.md")
    )
