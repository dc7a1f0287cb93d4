"""Small machines: what the kernel says in /proc and /sys of a Raspberry Pi or a PC, as files below a directory."""

from collections.abc import Mapping
from pathlib import Path

GET_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"
VOLTAGE = "sys/class/hwmon/hwmon1/in0_lcrit_alarm"
MEMINFO = "proc/meminfo"
ROUTE = "proc/net/route"
WIRELESS = "proc/net/wireless"
STAT = "proc/self/stat"
MOUNTINFO = "proc/self/mountinfo"

ROUTE_HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
WIRELESS_HEAD = (
    "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
    " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
)

Tree = Mapping[str, str | bytes]
"""Files and what is in them, by their path below the root."""


def default_route(interface: str, *, metric: int = 0, flags: int = 0x0003) -> str:
    """A line of /proc/net/route: all that isn't nearer goes over this interface."""
    return f"{interface}\t00000000\t010200C0\t{flags:04X}\t0\t0\t{metric}\t00000000\t0\t0\t0\n"


def near_route(interface: str) -> str:
    """A line of /proc/net/route: the interface's own network."""
    return f"{interface}\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"


def wifi(interface: str, level: str) -> str:
    """A line of /proc/net/wireless."""
    return f" {interface}: 0000   54.  {level}  -256        0      0      0      0     45        0\n"


def memory(available_kb: int, total_kb: int) -> str:
    """The content of /proc/meminfo."""
    return (
        f"MemTotal:       {total_kb} kB\nMemFree:          106308 kB\nMemAvailable:   {available_kb} kB\n"
        "HugePages_Total:       0\n"
    )


def started(after_s: float) -> str:
    """The content of /proc/self/stat: a process with an awkward name, begun so long after the kernel."""
    fields = ["S", "1", *["0"] * 17, f"{round(after_s * 100)}", *["0"] * 30]
    return f"4242 (alarm) (node) {' '.join(fields)}\n"


_COMMON: Tree = {
    STAT: started(25.0),
    "proc/self/task/4242/comm": "alarm-node",
    "proc/self/task/4243/comm": "health",
    "proc/self/fd/0": "",
    "proc/self/fd/1": "",
    "proc/self/fd/2": "",
    ROUTE: ROUTE_HEAD + near_route("eth0") + default_route("eth0", metric=100),
    "sys/class/net/lo/operstate": "unknown\n",
    "sys/class/net/eth0/operstate": "up\n",
    "sys/class/net/eth0/device/uevent": "DRIVER=bcmgenet\n",
}
_PI: Tree = {
    **_COMMON,
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    VOLTAGE: "0\n",
    "sys/class/net/wlan0/operstate": "down\n",
    "sys/class/net/wlan0/device/uevent": "DRIVER=brcmfmac\n",
    WIRELESS: WIRELESS_HEAD,
    "sys/class/watchdog/watchdog0/bootstatus": "0\n",
}
PI_3: Tree = {**_PI, TEMPERATURE: "56388\n", GET_THROTTLED: "0\n", MEMINFO: memory(640_000, 930_000)}
"""A kernel of 2023, which has both sources of the power."""

PI_5: Tree = {**_PI, TEMPERATURE: "48850\n", MEMINFO: memory(7_400_000, 8_250_000)}
"""A kernel of 2025, which has lost ``get_throttled``."""

PC: Tree = {
    **_COMMON,
    MEMINFO: memory(12_000_000, 16_300_000),
    "sys/class/thermal/thermal_zone0/type": "acpitz\n",
    TEMPERATURE: "27800\n",
    "sys/class/hwmon/hwmon0/name": "nvme\n",
}
EMPTY: Tree = {}
"""A machine that tells nothing at all."""


def make_tree(root: Path, *trees: Tree) -> Path:
    """Write these files below the root, the later ones over the earlier; returns the root."""
    for tree in trees:
        for name, content in tree.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root
