"""The machines that packages are made for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suite:
    """A release of Debian: its number, its Python, the minor number of its glibc 2, and its systemd."""

    name: str
    release: int
    python: tuple[int, int]
    glibc: int
    systemd: int


@dataclass(frozen=True, slots=True)
class Target:
    """A suite on one kind of machine. ``arch`` is Debian's name of it, ``machine`` the one in the names of wheels."""

    suite: Suite
    arch: str
    machine: str

    @property
    def python(self) -> str:
        """The version of its Python, as in "3.11"."""
        return ".".join(map(str, self.suite.python))

    @property
    def platforms(self) -> list[str]:
        """The tags of the wheels that run there, the best first (PEP 600; glibc before 2.17 knows no aarch64)."""
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(self.suite.glibc, 16, -1)]
        return [*tags, f"manylinux2014_{self.machine}"]


SUITES = {
    "bookworm": Suite("bookworm", release=12, python=(3, 11), glibc=36, systemd=252),
    "trixie": Suite("trixie", release=13, python=(3, 13), glibc=41, systemd=257),
}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def target(suite: str, arch: str) -> Target:
    """The target of these two names; KeyError for one that there isn't."""
    return Target(SUITES[suite], arch, MACHINES[arch])
