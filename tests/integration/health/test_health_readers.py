"""The readers of the machine, against small trees of /proc and /sys: what is told, what isn't there, what is broken."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from node.io.health import readers
from node.io.health.proc_files import HealthError
from node.protocol.messages import DiskHealth, MemoryHealth, NetworkHealth
from tests.support.machine import (
    EMPTY,
    MEMINFO,
    PC,
    PI_3,
    PI_5,
    ROUTE,
    ROUTE_HEAD,
    STAT,
    TEMPERATURE,
    WIRELESS,
    WIRELESS_HEAD,
    Tree,
    default_route,
    make_tree,
    memory,
    near_route,
    started,
    wifi,
)

Reader = Callable[[Path], object]

WATCHDOG = "sys/class/watchdog/watchdog0/bootstatus"
ETH0_STATE = "sys/class/net/eth0/operstate"
READERS: dict[str, Reader] = {
    "started_by": readers.started_by,
    "cpu_c": readers.cpu_c,
    "memory": readers.memory,
    "network": readers.network,
    "threads": readers.threads,
    "files": readers.files,
}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (
            PI_3,
            {
                "started_by": "boot",
                "cpu_c": 56.388,
                "memory": MemoryHealth(available_bytes=640_000 * 1024, total_bytes=930_000 * 1024),
                "network": NetworkHealth(interface="eth0", up=True, signal_dbm=None),
                "threads": 2,
                "files": 3,
            },
        ),
        (
            PI_5,
            {
                "started_by": "boot",
                "cpu_c": 48.85,
                "memory": MemoryHealth(available_bytes=7_400_000 * 1024, total_bytes=8_250_000 * 1024),
                "network": NetworkHealth(interface="eth0", up=True, signal_dbm=None),
                "threads": 2,
                "files": 3,
            },
        ),
        (
            PC,
            {
                "started_by": "boot",
                "cpu_c": None,
                "memory": MemoryHealth(available_bytes=12_000_000 * 1024, total_bytes=16_300_000 * 1024),
                "network": NetworkHealth(interface="eth0", up=True, signal_dbm=None),
                "threads": 2,
                "files": 3,
            },
        ),
        (EMPTY, dict.fromkeys(READERS)),
    ],
    ids=["pi-3", "pi-5", "pc", "nothing"],
)
def test_a_machine_tells_what_it_has(tree: Tree, told: dict[str, object], tmp_path: Path) -> None:
    """Each reading of a whole machine; what it doesn't have is no data, and never a guess."""
    root = make_tree(tmp_path, tree)

    assert {name: read(root) for name, read in READERS.items()} == told


def test_this_machine_tells_something() -> None:
    """The kernel that runs this test speaks as the trees do."""
    root = Path("/")

    assert readers.started_by(root) in ("boot", "watchdog", "restart")
    assert (readers.threads(root) or 0) >= 1
    assert (readers.files(root) or 0) >= 3
    found = readers.memory(root)
    assert found is not None
    assert 0 < found.available_bytes <= found.total_bytes


@pytest.mark.parametrize(
    ("name", "path", "content"),
    [
        ("started_by", STAT, ""),
        ("started_by", STAT, "4242 (alarm-node) S 1 2"),
        ("started_by", STAT, started(1.0).replace(" 100 ", " soon ")),
        ("started_by", WATCHDOG, "card reset"),
        ("cpu_c", TEMPERATURE, ""),
        ("cpu_c", TEMPERATURE, "hot"),
        ("cpu_c", TEMPERATURE, b"\xff\xfe"),
        ("cpu_c", TEMPERATURE, "-273150"),
        ("cpu_c", TEMPERATURE, "1000000"),
        ("memory", MEMINFO, ""),
        ("memory", MEMINFO, "MemTotal: 930000 kB\n"),
        ("memory", MEMINFO, "MemTotal: 930000 kB\nMemAvailable:\n"),
        ("memory", MEMINFO, memory(1, 2).replace(" 2 kB", " all of it")),
        ("network", ROUTE, ROUTE_HEAD + "eth0 00000000\n"),
        ("network", ROUTE, ROUTE_HEAD + default_route("eth0").replace("00000000", "anywhere")),
        ("network", WIRELESS, WIRELESS_HEAD + " eth0: 0000\n"),
        ("network", WIRELESS, WIRELESS_HEAD + wifi("eth0", "loud")),
    ],
)
def test_what_makes_no_sense_is_broken(name: str, path: str, content: str | bytes, tmp_path: Path) -> None:
    """A file that is there, but doesn't say what it should, is told by its path; it isn't taken for no data."""
    root = make_tree(tmp_path, PI_3, {path: content})

    with pytest.raises(HealthError, match=re.escape(path)):
        READERS[name](root)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("started_by", STAT),
        ("cpu_c", TEMPERATURE),
        ("memory", MEMINFO),
        ("network", ROUTE),
        ("network", ETH0_STATE),
        ("network", WIRELESS),
    ],
)
def test_a_file_that_cannot_be_read_is_broken(name: str, path: str, tmp_path: Path) -> None:
    """A read that fails says why, as the kernel put it."""
    root = make_tree(tmp_path, PI_3)
    (root / path).unlink()
    (root / path).mkdir()

    with pytest.raises(HealthError, match=re.escape(f"{path}: Is a directory")):
        READERS[name](root)


@pytest.mark.parametrize(
    ("began_s", "bootstatus", "by"),
    [
        (0.0, "0", "boot"),
        (180.0, "0", "boot"),
        (180.01, "0", "restart"),
        (20.0, "32", "watchdog"),
        (500, "32", "restart"),
    ],
)
def test_a_start_is_that_of_the_machine_or_of_the_node(
    began_s: float, bootstatus: str, by: str, tmp_path: Path
) -> None:
    """What begins soon after the kernel came with it, after a reset by the watchdog or not; later is a restart."""
    root = make_tree(tmp_path, PI_3, {STAT: started(began_s), WATCHDOG: bootstatus})

    assert readers.started_by(root) == by


def test_the_hottest_of_several_zones_of_the_processor_counts(tmp_path: Path) -> None:
    """Other zones don't, however hot they are."""
    root = make_tree(tmp_path, PI_3)
    zones = root / "sys/class/thermal"
    make_tree(zones, {"thermal_zone1/type": "cpu-thermal", "thermal_zone1/temp": "81000"})
    make_tree(zones, {"thermal_zone2/type": "gpu-thermal", "thermal_zone2/temp": "99000"})
    make_tree(zones, {"thermal_zone3/type": "cpu-thermal", "thermal_zone3/temp": "20000"})

    assert readers.cpu_c(root) == 81.0


def test_a_zone_without_a_temperature_is_no_data(tmp_path: Path) -> None:
    """A sensor that is gone between two looks isn't broken."""
    root = make_tree(tmp_path, PI_3)
    (root / TEMPERATURE).unlink()

    assert readers.cpu_c(root) is None


@pytest.mark.parametrize(
    ("state", "up"), [("up", True), ("unknown", True), ("down", False), ("dormant", False), ("lowerlayerdown", False)]
)
def test_an_interface_is_up_where_it_carries_data(state: str, up: bool, tmp_path: Path) -> None:
    """A driver that doesn't tell is believed; one that waits for a login carries nothing."""
    root = make_tree(tmp_path, PI_3, {ETH0_STATE: f"{state}\n"})

    assert readers.network(root) == NetworkHealth(interface="eth0", up=up, signal_dbm=None)


def test_an_interface_without_a_state_is_told_without_one(tmp_path: Path) -> None:
    """A container may show the routes, but no /sys."""
    root = make_tree(tmp_path, {ROUTE: ROUTE_HEAD + default_route("eth0")})

    assert readers.network(root) == NetworkHealth(interface="eth0", up=None, signal_dbm=None)


@pytest.mark.parametrize(
    ("routes", "interface"),
    [
        (default_route("eth0", metric=100) + default_route("wlan0", metric=600), "eth0"),
        (default_route("wlan0", metric=20) + default_route("eth0", metric=100), "wlan0"),
        (near_route("eth0") + default_route("wlan0", metric=600), "wlan0"),
        (default_route("*", flags=0x0201) + default_route("wlan0", metric=600), "wlan0"),
        (default_route("eth0", flags=0x0002) + default_route("wlan0", metric=600), "wlan0"),
    ],
    ids=["first", "last", "near", "refused", "off"],
)
def test_the_best_default_route_leads_to_the_network(routes: str, interface: str, tmp_path: Path) -> None:
    """The one with the least metric that is in use and isn't there to refuse."""
    root = make_tree(tmp_path, PI_3, {ROUTE: ROUTE_HEAD + routes})

    found = readers.network(root)

    assert found is not None
    assert found.interface == interface


@pytest.mark.parametrize(
    ("eth0", "wlan0", "before", "interface"),
    [
        ("down", "down", "wlan0", "wlan0"),
        ("up", "down", "wlan0", "wlan0"),
        ("down", "up", None, "wlan0"),
        ("up", "up", None, "eth0"),
        ("down", "down", None, "eth0"),
        ("down", "up", "usb0", "wlan0"),
    ],
)
def test_without_a_default_route_there_still_is_a_network(
    eth0: str, wlan0: str, before: str | None, interface: str, tmp_path: Path
) -> None:
    """The one that had the route, else one that is up, else any: a pulled cable mustn't become no data."""
    states = {ETH0_STATE: eth0, "sys/class/net/wlan0/operstate": wlan0}
    root = make_tree(tmp_path, PI_3, states, {ROUTE: ROUTE_HEAD + near_route("eth0")})

    found = readers.network(root, before)

    assert found is not None
    assert (found.interface, found.up) == (interface, states[f"sys/class/net/{interface}/operstate"] == "up")


def test_a_machine_with_a_loopback_alone_has_no_network(tmp_path: Path) -> None:
    """Loopback and bridges have no device, and lead nowhere by themselves."""
    root = make_tree(tmp_path, {"sys/class/net/lo/operstate": "unknown", "sys/class/net/br0/operstate": "down"})

    assert readers.network(root) is None


@pytest.mark.parametrize(
    ("lines", "signal_dbm"),
    [
        (wifi("wlan0", "-61."), -61.0),
        (wifi("wlan1", "-20.") + wifi("wlan0", "-90 "), -90.0),
        (wifi("wlan0", "-256 "), None),
        (wifi("wlan0", "0 "), None),
        (wifi("wlan0", "42."), None),
        (wifi("wlan00", "-61."), None),
        ("", None),
    ],
)
def test_the_signal_of_a_wifi_is_in_dbm(lines: str, signal_dbm: float | None, tmp_path: Path) -> None:
    """A driver that tells a level of its own making, or none, gives no data."""
    routes = ROUTE_HEAD + default_route("wlan0")
    root = make_tree(tmp_path, PI_3, {ROUTE: routes, WIRELESS: WIRELESS_HEAD + lines})

    found = readers.network(root)

    assert found is not None
    assert (found.interface, found.signal_dbm) == ("wlan0", signal_dbm)


def test_the_disk_is_that_of_the_directory(tmp_path: Path) -> None:
    """As large, and as free, as others say too; free is what this user may take."""
    found = readers.disk(tmp_path)

    usage = shutil.disk_usage(tmp_path)
    assert found is not None
    assert found.total_bytes == usage.total
    assert found.free_bytes == pytest.approx(usage.free, abs=1e9)
    assert not found.read_only


def test_a_directory_that_is_not_there_yet_lies_on_its_parents_disk(tmp_path: Path) -> None:
    """A state directory that can't be made, on a card that is read-only, is told by the card."""
    found = readers.disk(tmp_path / "var" / "lib" / "alarm-node")

    assert found is not None
    assert found.total_bytes == shutil.disk_usage(tmp_path).total


def statvfs(blocks: int, flags: int = 0) -> os.statvfs_result:
    """A file system with 4 KiB a block, of which a tenth is free and a twentieth free for everybody."""
    return os.statvfs_result((4096, 4096, blocks, blocks // 10, blocks // 20, 0, 0, 0, flags, 255))


@pytest.mark.parametrize(
    ("flags", "read_only"), [(0, False), (os.ST_NOSUID, False), (os.ST_RDONLY | os.ST_NOSUID, True)]
)
def test_a_read_only_disk_says_so(flags: int, read_only: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is how it is mounted; the kernel makes it so by itself when the card fails."""
    monkeypatch.setattr(os, "statvfs", lambda _path: statvfs(1_000_000, flags))

    found = readers.disk(tmp_path)

    assert found == DiskHealth(free_bytes=50_000 * 4096, total_bytes=1_000_000 * 4096, read_only=read_only)


def test_a_file_system_without_a_size_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some have no limit of their own, and no share of it can be free."""
    monkeypatch.setattr(os, "statvfs", lambda _path: statvfs(0))

    assert readers.disk(tmp_path) is None


def test_a_disk_that_fails_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's word for it is the reason."""

    def fail(_path: Path) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", fail)

    with pytest.raises(HealthError, match=r"Input/output error"):
        readers.disk(tmp_path)


def test_a_relative_directory_lies_on_the_disk_of_the_working_directory() -> None:
    """Where nothing of the path is there, the working directory is what it begins in."""
    assert readers.disk(Path("gone") / "state") == readers.disk(Path())


def test_a_disk_that_is_nowhere_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the root of the file system answers."""

    def miss(_path: Path) -> os.statvfs_result:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "statvfs", miss)

    assert readers.disk(tmp_path) is None
