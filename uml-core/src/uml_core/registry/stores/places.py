"""The folders that programs keep their things in, on each platform."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class Places:
    """One user's folders on one machine.

    ``platform`` is what :data:`sys.platform` says there. ``system`` is the root of the file system: ``/``.
    """

    platform: str
    home: Path
    environment: Mapping[str, str]
    system: Path = Path("/")

    @classmethod
    def here(cls) -> Places:
        """The places of this process."""
        return cls(platform=sys.platform, home=_home(), environment=os.environ)

    def named(self, *variables: str) -> Path | None:
        """The absolute path that the first of *variables* has which isn't empty; ``~`` is the home folder."""
        value = next((value for name in variables if (value := self.environment.get(name))), None)
        return self.absolute(value) if value else None

    def absolute(self, text: str) -> Path | None:
        """The path that *text* stands for, if it's absolute; a folder of this process means nothing to others."""
        text = text.strip()
        path = self.home / text[2:] if text.startswith(("~/", "~\\")) else Path(text)
        return path if text and path.is_absolute() and "\0" not in text else None

    @property
    def cache(self) -> Path:
        """Where ``~/.cache`` is meant."""
        return self.named("XDG_CACHE_HOME") or self.home / ".cache"

    @property
    def config(self) -> Path:
        """Where ``~/.config`` is meant."""
        return self.named("XDG_CONFIG_HOME") or self.home / ".config"

    @property
    def data(self) -> Path:
        """Where a program's data lies that follows the user."""
        if self.platform == "win32":
            return self.named("APPDATA") or self.home / "AppData/Roaming"
        if self.platform == "darwin":
            return self.home / "Library/Application Support"
        return self.named("XDG_DATA_HOME") or self.home / ".local/share"

    @property
    def local_data(self) -> Path:
        """Where a program's data lies that stays on the machine."""
        if self.platform == "win32":
            return self.named("LOCALAPPDATA") or self.home / "AppData/Local"
        return self.data


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user without a home: nothing will be found there
        return Path(os.devnull)
