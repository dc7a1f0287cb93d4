"""The doctor asks what the service's account may do: root may read everything, and would miss what the service can't.

``test`` (coreutils) runs as that account, and answers with all that the kernel knows of rights.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

READ, WRITE = "-r", "-w"

_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - nothing is written there
"""What ProtectHome= and PrivateTmp= of deploy/systemd/alarm-node.service hide."""

_WORDS = {READ: "read", WRITE: "written"}
_ASK_S = 5.0


class Account(Struct, frozen=True):
    """An account of this machine. ``sandboxed``: its service sees no homes and no temporary files."""

    name: str
    sandboxed: bool = True

    @property
    def exists(self) -> bool:
        """Whether this machine has it."""
        return self._entry() is not None

    @property
    def can_be_asked(self) -> bool:
        """Whether this process can tell what the account may do."""
        found = self._entry()
        return found is not None and os.geteuid() in (0, found.pw_uid)

    def why_not(self, right: str, path: Path) -> str:
        """Why the account may not ``READ`` or ``WRITE`` this file or directory; "" if it may."""
        if self.sandboxed and any(path.is_relative_to(hidden) for hidden in _HIDDEN):
            return "is hidden from the service, to which its unit shows no homes and no temporary files"
        return "" if self._may(right, path) else f"can't be {_WORDS[right]} by the service's account, {self.name}"

    def _may(self, right: str, path: Path) -> bool:
        found, program = self._entry(), shutil.which("test")
        if found is None or program is None or os.geteuid() != 0:
            return True
        try:
            asked = subprocess.run(
                [program, right, path],
                user=found.pw_uid,
                group=found.pw_gid,
                extra_groups=os.getgrouplist(found.pw_name, found.pw_gid),
                cwd="/",
                timeout=_ASK_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return True
        return asked.returncode != 1

    def _entry(self) -> pwd.struct_passwd | None:
        try:
            return pwd.getpwnam(self.name)
        except KeyError:
            return None


ACCOUNT = Account("alarm-node")
"""User= of deploy/systemd/alarm-node.service."""
