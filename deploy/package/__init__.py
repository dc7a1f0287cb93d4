"""`make deb`: puts each program with an environment of its own into a Debian package, without a Pi and a compiler.

The packages are made by this program and dpkg-deb, not by debhelper. What is in them comes from wheels for another
machine and another Python, which debhelper doesn't know how to fetch. And building needs nothing of Debian but dpkg and
python3-venv.

    programs.py     what each program has: its lock, its commands, its files
    targets.py      the suites and machines that packages are made for
    wheels.py       the locked wheels for a target, fetched by pip and unpacked
    tree.py         every file of a package, in its place
    control.py      what dpkg is told of it: dependencies, maintainer scripts, checksums
    components.py   what the environment consists of: copyright file and SBOM (CycloneDX)
    build.py        all of that, into one .deb
    maintainer/     the maintainer scripts

The same source, suite, machine and maintainer give the same bytes: every file's time is the release's date (or
SOURCE_DATE_EPOCH), files are sorted, and modules are compiled on the machine that installs them.
"""
