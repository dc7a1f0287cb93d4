"""``python3 -m deploy.package``: builds packages, and prints where each is. `make deb` calls it."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from deploy.package.build import build, maintainer, release
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
    parser.add_argument(
        "--maintainer",
        default=maintainer(os.environ),
        help="whom people may ask; default: $DEBFULLNAME and $DEBEMAIL, or an address that reaches nobody",
    )
    parser.add_argument("--to", type=Path, default=ROOT / "build/deb", help="default: %(default)s", metavar="DIRECTORY")
    asked = parser.parse_args(arguments)
    made_of = release(asked.maintainer, asked.revision)
    wanted = product(asked.program or PROGRAMS, asked.suite or SUITES, asked.arch or MACHINES)
    with tempfile.TemporaryDirectory() as directory:
        pip = Pip(Path(directory))
        for program, suite, arch in wanted:
            try:
                print(build(PROGRAMS[program], target(suite, arch), made_of, pip, asked.to), flush=True)
            except subprocess.CalledProcessError as failure:
                tool = Path(failure.cmd[0]).name
                print(
                    f"{program} for {suite} on {arch} can't be built: {tool} failed. Its reason is above",
                    file=sys.stderr,
                )
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
