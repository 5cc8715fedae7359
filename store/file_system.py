"""Which file system holds a path: SQLite's write-ahead log and its locks need one of this machine's own."""

from __future__ import annotations

from pathlib import Path

NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
    "9p",
    "afs",
    "virtiofs",
)
LOCAL_FUSE = ("fuse.portal", "fuse.lxcfs", "fuse.gvfsd-fuse")


def file_system_of(place: Path) -> str:
    """Return the type of the file system that holds a path, or nothing where the kernel does not say."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    resolved = place.resolve()
    holding = [(point, kind) for point, kind in mounts if resolved.is_relative_to(point.replace("\\040", " "))]
    # Of two that are mounted on one point the later one is seen.
    return max(enumerate(holding), key=lambda mount: (len(mount[1][0]), mount[0]), default=(0, ("", "")))[1][1]


def is_network(kind: str) -> bool:
    """Return whether a file system may be shared with other machines."""
    return kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)


def on_network(place: Path) -> bool:
    """Return whether a path, which need not be there yet, lies on a file system of the network."""
    return is_network(file_system_of(place))
