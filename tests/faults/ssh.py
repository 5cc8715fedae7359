"""An SSH server of the test's own on the loopback: a free port, throw-away keys, nobody else's settings."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PLACES = f"/usr/sbin:/usr/local/sbin:{os.defpath}"
SSHD = shutil.which("sshd", path=PLACES)
MISSING = [name for name in ("sshd", "ssh", "ssh-keygen") if not shutil.which(name, path=PLACES)]
PRIVILEGE_SEPARATION = Path("/run/sshd")
"""An empty folder that sshd needs where root starts it; Debian's service makes it."""


class Server:
    """A running sshd; `command` gives the argv of a client that runs a program on a terminal there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.port = _free_port()
        for name in ("host", "user"):
            file = folder / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
        if os.getuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        settings = folder / "sshd_config"
        settings.write_text(
            f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {folder / "host"}
AuthorizedKeysFile {folder / "user.pub"}
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
""",
            encoding="ascii",
        )
        host_key = (folder / "host.pub").read_text().split()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {' '.join(host_key[:2])}\n")
        assert SSHD is not None
        self._log = (folder / "log").open("wb")
        argv = [SSHD, "-D", "-e", "-f", str(settings)]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        try:
            self._await()
        except BaseException:
            self.close()
            raise

    def command(self, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """Return the argv that runs `argv` with `env` on a terminal of the server."""
        names = [f"{name}={value}" for name, value in {**env, "LANG": "C.UTF-8"}.items()]
        options = {
            "UserKnownHostsFile": str(self.folder / "known"),
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        where = ["-p", str(self.port), "-i", str(self.folder / "user"), f"{self.user}@127.0.0.1"]
        return ["ssh", "-F", "none", "-tt", *given, *where, shlex.join(["env", *names, *argv])]

    def sessions(self) -> list[int]:
        """Return the pids of the processes that serve a connection."""
        return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if self.process.pid in _above(pid)]

    def drop(self) -> None:
        """Kill what serves the connections, as a crash of the server does: nobody says goodbye to anybody."""
        for pid in self.sessions():
            if _name(pid).startswith("sshd"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """End the server and what serves its connections."""
        self.drop()
        self.process.kill()
        self.process.wait()
        self._log.close()

    def _await(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError(f"no SSH server: {(self.folder / 'log').read_text()}")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _above(pid: int) -> list[int]:
    """Return the ancestors of a process, itself left out."""
    found = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(pid)
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
