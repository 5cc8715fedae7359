"""What `workbench doctor` looks at on the machine itself: device, driver, logout, limits, temporary files."""

from __future__ import annotations

import importlib.util
import re
import resource
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.box import login, telemetry
from workbench.text import count, size

LITTLE_TEMPORARY = 2**28
NVIDIA = Path("/proc/driver/nvidia/version")
DRIVERS = (((13, 0), (580,)), ((12, 0), (525,)), ((11, 0), (450,)))
"""From which version of CUDA on which driver is needed at least, the newest first."""


@dataclass(frozen=True)
class Finding:
    """`level` is ok, warn or bad; `remedy` says what to do where there is something to do."""

    level: str
    subject: str
    found: str
    remedy: str = ""


def device() -> Iterator[Finding]:
    words = telemetry.describe_device()
    if words.startswith(telemetry.TROUBLE):
        remedy = "See `nvidia-smi` and `dmesg`; a driver that does not answer often needs a restart of the machine."
        yield Finding("bad", "GPU", words.removeprefix(telemetry.TROUBLE), remedy)
    elif words.startswith("no GPU"):
        yield Finding("warn", "GPU", words, "Training runs on the processor; small models are fine there.")
    elif "is lost" in words:
        remedy = "It fell off the bus. Reset it (nvidia-smi --gpu-reset) or restart the machine."
        yield Finding("bad", "GPU", words, remedy)
    else:
        yield Finding("ok", "GPU", words)
    yield from _driver()


def _driver() -> Iterator[Finding]:
    """Say which driver is loaded, and that torch is built for no newer one."""
    version = driver_version()
    if not version:
        return
    built = torch_cuda()
    least = next((driver for cuda, driver in DRIVERS if built >= cuda), (0,))
    if tuple(int(part) for part in version.split(".")[:1]) < least:
        words = f"{version}, but this torch is built for CUDA {'.'.join(map(str, built))}"
        remedy = f"It needs driver {least[0]} or newer: ask for an update, or install a torch built for an older CUDA."
        yield Finding("bad", "NVIDIA driver", words, remedy)
    else:
        yield Finding("ok", "NVIDIA driver", version)


def driver_version() -> str:
    """Return the version of the NVIDIA driver that is loaded, or nothing where none is."""
    try:
        words = NVIDIA.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return ""
    return next((word for word in words if word.count(".") >= 1 and word.replace(".", "").isdecimal()), "")


def torch_cuda() -> tuple[int, ...]:
    """Return the version of CUDA that torch is built for, without importing it; nothing where for none."""
    found = importlib.util.find_spec("torch")
    file = Path(found.origin or "").with_name("version.py") if found and found.origin else None
    text = file.read_text(encoding="utf-8") if file and file.exists() else ""
    match = re.search(r"^cuda\b[^=]*= '(\d+)\.(\d+)", text, re.MULTILINE)
    return tuple(map(int, match.groups())) if match else ()


def logout() -> Iterator[Finding]:
    """Say what logging out does to runs."""
    policy = login.policy()
    words, remedy = policy.warning
    if words:
        yield Finding("warn", "logout", words, remedy)
    elif policy.place == "session" and policy.kills is None:
        remedy = "Look for KillUserProcesses in /etc/systemd/logind.conf: with `yes`, runs end when you log out."
        yield Finding("warn", "logout", "systemd does not say what it does at logout", remedy)
    else:
        yield Finding("ok", "logout", "runs go on")


def limits() -> Iterator[Finding]:
    """Say what this shell allows its processes, where that is too little."""
    least = {
        "file size": (resource.RLIMIT_FSIZE, 2**31, size, "a checkpoint would be cut off", "ulimit -f unlimited"),
        "open files": (resource.RLIMIT_NOFILE, 256, count, "data and models open many", "ulimit -n 4096"),
        "address space": (resource.RLIMIT_AS, 2**34, size, "torch alone reserves much", "ulimit -v unlimited"),
        "processes": (resource.RLIMIT_NPROC, 64, count, "workers have threads", "ulimit -u 4096"),
    }
    low = 0
    for subject, (limit, floor, words, why, remedy) in least.items():
        given = resource.getrlimit(limit)[0]
        if 0 <= given < floor:
            low += 1
            yield Finding(
                "warn", subject, f"limited to {words(given)}: {why}", f"{remedy}, in the shell that starts it."
            )
    if not low:
        yield Finding("ok", "limits", "none that is too low")


def temporary_files() -> Iterator[Finding]:
    """Say whether temporary files can be written: compilers and data sets need them."""
    remedy = "Free room there, or set TMPDIR to another folder."
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x" * 4096)
            file.flush()
            free = telemetry.disk_free(Path(file.name).parent)
    except OSError as error:
        yield Finding("bad", "temporary files", str(error.strerror), remedy)
        return
    place = tempfile.gettempdir()
    if free < LITTLE_TEMPORARY:
        yield Finding("warn", "temporary files", f"{size(free)} free in {place}", remedy)
    else:
        yield Finding("ok", "temporary files", f"{place}, {size(free)} free")
