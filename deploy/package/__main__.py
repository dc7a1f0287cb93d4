"""``python3 -m deploy.package``: builds packages, and prints where each is. `make deb` calls it."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.package.build import build, release
from deploy.package.programs import PROGRAMS, ROOT
from deploy.package.targets import MACHINES, SUITES, target
from deploy.package.wheels import Pip


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the packages that the arguments ask for; without any, all of them."""
    parser = argparse.ArgumentParser(prog="python3 -m deploy.package", description=__doc__)
    parser.add_argument("--program", choices=PROGRAMS, action="append", help="default: both")
    parser.add_argument("--suite", choices=SUITES, action="append", help="default: all")
    parser.add_argument("--arch", choices=MACHINES, action="append", help="default: all")
    parser.add_argument("--revision", type=int, default=1, help="of the package, for the same program")
    parser.add_argument("--maintainer", default="The maintainers of alarm-node <alarm-node@example.org>")
    parser.add_argument("--to", type=Path, default=ROOT / "build/deb", help="default: %(default)s", metavar="DIRECTORY")
    asked = parser.parse_args(arguments)
    made_of = release(asked.maintainer, asked.revision)
    with tempfile.TemporaryDirectory() as directory:
        pip = Pip(Path(directory))
        for program in asked.program or PROGRAMS:
            for suite in asked.suite or SUITES:
                for arch in asked.arch or MACHINES:
                    print(build(PROGRAMS[program], target(suite, arch), made_of, pip, asked.to))
    return 0


if __name__ == "__main__":
    sys.exit(main())
