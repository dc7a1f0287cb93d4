"""A person at the keyboard of a machine, who follows a guide. Runs in that machine, by Debian's own Python.

    typist.py follow     types the commands of /plan.json, each at a terminal, and answers what it is asked
    typist.py edit FILE  the editor: makes the next change of the plan in this file

After a start of the machine it goes on where it was. What was said is in /told/said.jsonl, a line for each command.
"""

import json
import os
import pty
import pwd
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

PLAN = Path("/plan.json")
TOLD = Path("/told")
HEARD = TOLD / "heard"
PATIENCE_S = 120.0


def follow() -> None:
    """Carry out the plan's steps that are left; the first one that goes wrong is the last."""
    if (TOLD / "wrong").exists():
        return
    plan = json.loads(PLAN.read_text(encoding="utf-8"))
    done = TOLD / "done"
    background = None
    is_right = True
    for number in range(int(done.read_text(encoding="utf-8")) if done.exists() else 0, len(plan["steps"])):
        step = plan["steps"][number]
        # Written before: the step may be the machine's end.
        done.write_text(str(number + 1), encoding="utf-8")
        if "by_hand" in step:
            code = subprocess.run(["/bin/sh", "-c", step["by_hand"]], check=False).returncode
            _tell(step["by_hand"], code, "", typed=False)
            is_right = code == 0
        elif step["stays"]:
            with HEARD.open("wb") as heard:
                background = subprocess.Popen(["sh", "-c", f"exec {step['typed']}"], stdout=heard, user=plan["user"])
        elif step["ends"]:
            _tell(step["typed"], 0, "")  # afterwards nobody is there to do it
            _type(step["typed"], step, pwd.getpwnam(plan["user"]))
            return
        else:
            typed = _filled(step["typed"]) if step["filled"] else step["typed"]
            began = time.monotonic()
            code, said, unasked = _type(typed, step, pwd.getpwnam(plan["user"]))
            _tell(step["typed"], code, said + unasked, took_s=round(time.monotonic() - began, 2))
            is_right = code in step["codes"] and not unasked
        if not is_right:
            (TOLD / "wrong").touch()
            break
    if background is not None:
        background.send_signal(signal.SIGINT)
        background.wait(PATIENCE_S)
    if is_right:
        (TOLD / "finished").touch()


def _type(typed: str, step: dict[str, Any], person: pwd.struct_passwd) -> tuple[int, str, str]:
    """Let the person's shell run a command; its exit code, what was shown, and which questions didn't come."""
    child, terminal = pty.fork()
    if child == 0:
        os.initgroups(person.pw_name, person.pw_gid)
        os.setgid(person.pw_gid)
        os.setuid(person.pw_uid)
        os.chdir(step["directory"])
        environ = {"HOME": person.pw_dir, "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8"}
        os.execve("/bin/bash", ["bash", "-c", typed], environ)  # noqa: S606 - it is what a person's terminal does
    answers = list(step["answers"])
    said, answered = "", 0
    while True:
        ready, _, _ = select.select([terminal], [], [], PATIENCE_S)
        if not ready:
            os.kill(child, signal.SIGKILL)
            break
        try:
            said += os.read(terminal, 65_536).decode(errors="replace")
        except OSError:  # the other side has closed the terminal
            break
        if answers and (found := re.search(answers[0][0], said[answered:])):
            answered += found.end()
            while step["hidden"] and termios.tcgetattr(terminal)[3] & termios.ECHO:
                time.sleep(0.01)  # what is typed before the program hides it would be lost
            os.write(terminal, f"{answers.pop(0)[1]}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    return code, said, "".join(f"\nnever asked: {pattern}" for pattern, _ in answers)


def _filled(typed: str) -> str:
    """A command with the boot and the incident of the last event that was heard."""
    events = [line.partition(" ")[2] for line in HEARD.read_text(encoding="utf-8").splitlines() if "/event " in line]
    last = json.loads(events[-1])
    return typed.replace("0badcafe-2", last["incident"]).replace("0badcafe", last["boot"])


def _tell(command: str, code: int, said: str, *, typed: bool = True, took_s: float = 0.0) -> None:
    line = {"command": command, "code": code, "said": said, "typed": typed, "took_s": took_s}
    with (TOLD / "said.jsonl").open("a", encoding="utf-8") as told:
        told.write(json.dumps(line) + "\n")


def edit(path: Path) -> None:
    """Make the plan's next change. It names the file, and patterns with what is written in the place of each."""
    made = TOLD / "edited"
    number = int(made.read_text(encoding="utf-8")) if made.exists() else 0
    change = json.loads(PLAN.read_text(encoding="utf-8"))["edits"][number]
    if not str(path.resolve()).startswith(change["file"]):
        sys.exit(f"{path} is edited, and not {change['file']}")
    text = path.read_text(encoding="utf-8")
    for pattern, written in change["lines"]:
        text, count = re.subn(pattern, lambda _, written=written: written, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
        if count != 1:
            sys.exit(f"{path} has no {pattern}")
    path.write_text(text, encoding="utf-8")
    made.write_text(str(number + 1), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "follow":
        follow()
    else:
        edit(Path(sys.argv[-1]))
