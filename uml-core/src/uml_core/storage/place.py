"""Whether a folder is a place for SQLite: its locks and its log can't be trusted across a network."""

from __future__ import annotations

import re
from pathlib import Path

from uml_core.storage.trouble import Refused

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf",
    "fuse.beegfs", "fuse.blobfuse", "fuse.blobfuse2", "fuse.ceph", "fuse.ceph-fuse", "fuse.cephfs", "fuse.curlftpfs",
    "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.juicefs", "fuse.mount-s3", "fuse.rclone",
    "fuse.s3fs", "fuse.seaweedfs", "fuse.smbnetfs", "fuse.sshfs",
}  # fmt: skip


def check(folder: Path, *, mounts: Path = MOUNTS) -> None:
    """Look where *folder* is; a machine without ``mountinfo`` is believed.

    :raises Refused: it is on a network file system
    """
    kind = _file_system(folder.resolve(), mounts)
    if kind in NETWORK:
        raise Refused(
            f"the data folder '{folder}' is on a network file system ({kind}), where a database can break: set "
            "data_dir in uml.toml, or UML_DATA_DIR, to a folder on a local disk; models are served as before, but "
            "nothing is recorded"
        )


def _file_system(folder: Path, mounts: Path) -> str | None:
    """The kind of the innermost mount that has *folder*; of two at one place the later one covers the other."""
    try:
        text = mounts.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    depth, kind = -1, None
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(_unescaped(before.split(" ")[4]))
        if folder.is_relative_to(point) and len(point.parts) >= depth:
            depth, kind = len(point.parts), after.split(" ")[0]
    return kind


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
