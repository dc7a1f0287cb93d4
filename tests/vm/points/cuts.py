"""Power cuts around presses: one machine that is never really cut, and a copy of its disk for each cut.

The machine is stopped at a random moment, its data disk is copied, and it goes on. The copy is what a power cut would
have left: whatever the guest had not synced is missing. It tests whether the guest syncs; it is no model of a card that
loses what it said to have stored.

A press counts as stored once another process of the guest reads it from the record, and has said so over the serial
line before the machine was stopped.
"""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.campaigns.campaign import Break, Campaign, Figures, Result, Try, run
from tests.vm.guest import Guest
from tests.vm.lines import ANSWER_S
from tests.vm.machine import Machine
from tests.vm.room import BUZZER, DESK, LAMP, PRESSED, RELEASED, Room

NAME, NORMAL = "power cut", "power cut, NORMAL"
PROMISE = "no stored press is lost by a power cut; a machine that starts with what is left is in alarm"
NORMAL_PROMISE = "the trial can fail: with synchronous=NORMAL, put in on purpose, stored presses are lost"

TRIES = 200
NORMAL_TRIES = 20
WINDOW_S = 0.6
"""So long after the beginning of a press the power is cut at the latest."""

BOOTS_EACH = 40
"""One of so many copies is booted."""

RECORD = "/var/lib/alarm-node/record.sqlite"
_OF_PRESSES = "FROM events WHERE id > ? AND json_extract(CAST(body AS TEXT), '$.kind') = 'pressed'"
_NEWEST, _EACH = f"SELECT max(id) {_OF_PRESSES}", f"SELECT id {_OF_PRESSES}"
_WITHOUT_SYNC = """
set -e
cd /usr/lib/alarm-node/lib/python3*/site-packages/node/io/record
sed -i 's/"synchronous", "FULL", 2/"synchronous", "NORMAL", 1/' record_file.py
grep -q '"synchronous", "NORMAL", 1' record_file.py
"""
_STATUS = "systemctl --no-pager --lines=30 status alarm-node || true"
LOST = "stored presses are lost"


class Cuts:
    """The tries on one machine. ``stored``: the ids of presses that were stored, from the first on."""

    def __init__(self, made: Guest, room: Room, work: Path) -> None:
        self._made, self._room, self._work = made, room, work
        self._stored: list[int] = [0]
        self.stored_at_cut = self.booted = 0

    def attempt(self, one: Try) -> Figures:
        """One press, and a cut while it is on its way."""
        agent, machine = self._room.agent, self._room.machine
        copy = one.directory / "data"
        row = agent.start("select_until_found", path=RECORD, query=_NEWEST, after=self._stored[-1], timeout_s=ANSWER_S)
        tap = agent.start("drive", pin=DESK, wave=[(PRESSED, 0.06), (RELEASED, 0.0)])
        time.sleep(one.random.uniform(0.0, WINDOW_S))
        known = [*self._stored[1:]]
        with machine.stopped():
            if row.done() and row.result() is not None:
                known.append(row.result())
                self.stored_at_cut += 1
            shutil.copy(machine.disks.data, copy)
        tap.result()
        number = row.result()
        assert number is not None, f"no press was stored within {ANSWER_S:g} s: {self._room.run('sh', '-c', _STATUS)}"
        self._stored.append(number)
        left = _left(copy, one.directory)
        lost = [number for number in known if number not in left]
        assert not lost, f"{len(lost)} of {len(known)} {LOST}"
        if known and one.number % BOOTS_EACH == BOOTS_EACH - 1:
            self._boot(copy)
        return {}

    def _boot(self, copy: Path) -> None:
        """A machine with what is left is in alarm."""
        with Machine(replace(self._made.disks, data=copy), self._work) as machine:
            room = Room(machine, "gpiod")
            room.configure()
            room.start()
            room.expect("StatusText", "ALARM desk")
            assert room.until(LAMP, high=True).result() is not None
            assert room.until(BUZZER, high=True).result() is not None
        self.booted += 1


def _left(copy: Path, directory: Path) -> set[int]:
    """The ids of all presses in the record of a disk that was cut off. The file has to be whole."""
    checked = subprocess.run(["e2fsck", "-fy", copy], capture_output=True, text=True, check=False)
    assert checked.returncode in (0, 1), f"the file system is damaged: {checked.stdout}"
    for name in ("record.sqlite", "record.sqlite-wal"):
        dump = ["debugfs", "-R", f"dump /{name} {name}", str(copy)]
        subprocess.run(dump, cwd=directory, capture_output=True, check=True)
    with closing(sqlite3.connect(directory / "record.sqlite")) as connection:
        (whole,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert whole == "ok", whole
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
            return set()  # not even that was synced
        return {number for (number,) in connection.execute(_EACH, (0,))}


def cut(made: Guest, work: Path, seed: int, tries: int, tell: Callable[[Result], None]) -> Result:
    """Cut the power so often; what came of it. One of the figures counts the presses that were stored at the cut."""
    return _run(made, work, seed, tries, tell, without_sync=False)


def cut_without_sync(made: Guest, work: Path, seed: int, tries: int, tell: Callable[[Result], None]) -> Result:
    """The same with a record that doesn't sync: that has to be found, or the trial proves nothing."""
    result = _run(made, work, seed, tries, tell, without_sync=True)
    found = [broken for broken in result.broken if LOST in broken.reason]
    result.broken = [broken for broken in result.broken if broken not in found]
    if not found:
        result.broken.append(Break(0, "", f"{result.tried} cuts, and no stored press was lost: the trial can't fail"))
    result.worst["cuts that lost a stored press"] = len(found)
    return result


def _run(
    made: Guest, work: Path, seed: int, tries: int, tell: Callable[[Result], None], *, without_sync: bool
) -> Result:
    name, promise = (NORMAL, NORMAL_PROMISE) if without_sync else (NAME, PROMISE)
    disks = replace(made.disks, data=work / f"cut-{without_sync}")
    shutil.copy(made.disks.data, disks.data)
    with Machine(disks, work, kept=True) as machine:
        room = Room(machine, "gpiod")
        room.configure()
        if without_sync:
            room.run("sh", "-c", _WITHOUT_SYNC)
        room.start()
        tried = Cuts(made, room, work)
        result = run(Campaign(name, promise, tries, tries, tried.attempt), seed, numbers=range(tries), on_try=tell)
    result.worst["presses that were stored at their cut"] = tried.stored_at_cut
    result.worst["copies that were booted and were in alarm"] = tried.booted
    return result
