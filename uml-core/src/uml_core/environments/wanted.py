"""A plugin that somebody wants installed, here or with its engine in an environment of its own."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from attrs import field, frozen

from uml_core import __version__
from uml_core.environments.environment import make
from uml_core.environments.facts import distribution_of, engine_distributions
from uml_core.environments.fit import misfit
from uml_core.environments.folder import EngineFolder, plugin_name
from uml_core.environments.installer import Installer, find_installer
from uml_core.environments.origin import requirement
from uml_core.environments.step import Tell
from uml_core.errors import BadRequestError, ConflictError, PluginError, SettingsError
from uml_core.host.interpreter import CORE
from uml_core.plugins import PluginCard
from uml_core.settings import Settings
from uml_core.types import BackendInfo

EXTRA = "engine"


@frozen(kw_only=True)
class Wanted:
    """The plugin ``name``; ``cards`` gives what is installed, ``further`` are more packages for the engine."""

    name: str = field(converter=plugin_name)
    settings: Settings
    cards: Callable[[], Sequence[PluginCard]]
    further: tuple[str, ...] = ()

    def install_here(self, tell: Tell) -> dict[str, Any]:
        """Install it and its engine into UML's own environment.

        :raises PluginError: pip or uv failed, or what it fetched is no such plugin
        """
        card = self._card()
        own = f"uml-{self.name}[{EXTRA}]" if card is None else _known(card)
        _install_here([own, *self.further], tell)
        card = self._fresh()
        said = f"installed '{self.name}' and its engine" if card.status == "loaded" else f"'{self.name}': {card.reason}"
        return self._view(card, sys.executable, f"{said}; a gateway that is running knows it after a restart")

    def install_isolated(self, tell: Tell, *, base: str = "") -> dict[str, Any]:
        """Install it here if it isn't, and its engine into a new environment that takes the place of an older one.

        :param base: the Python that it is made of; UML's own when empty
        :raises PluginError: it has no engine, pip or uv failed, or what was made does not fit
        :raises ConflictError: uml.toml names another Python for it, or another process is making it
        """
        self._refuse_if_named(self.name)
        card = self._card() or self._installed_plain(tell)
        backend = self._backend(card)
        self._refuse_if_named(backend.name)
        python = make(
            EngineFolder.of(self.settings.data_dir, backend.name),
            [*requirement(CORE), *requirement(distribution_of(card), extra=_extra(card)), *self.further],
            installer=find_installer(),
            base=_found(base),
            tell=tell,
            check=lambda made: _check(card, made),
        )
        return self._view(card, str(python), f"'{self.name}' runs in an environment of its own now: {python}")

    def _card(self) -> PluginCard | None:
        return next((card for card in self.cards() if self.name in _names(card)), None)

    def _fresh(self) -> PluginCard:
        """Its card after it was installed by this process."""
        importlib.invalidate_caches()
        if (card := self._card()) is None:
            raise PluginError(f"'uml-{self.name}' was installed, but has no plugin '{self.name}'; see its README")
        return card

    def _installed_plain(self, tell: Tell) -> PluginCard:
        _install_here([f"uml-{self.name}"], tell)
        return self._fresh()

    def _backend(self, card: PluginCard) -> BackendInfo:
        if card.status != "loaded":
            raise PluginError(f"the plugin '{self.name}' is not loaded, so nothing is made for it: {card.reason}")
        if card.backend is None:
            raise PluginError(f"the plugin '{self.name}' is no backend; install it without --isolated")
        if card.backend.settings is None or "python" not in card.backend.settings.model_fields:
            raise PluginError(f"the workers of '{self.name}' can't run in another Python; leave --isolated out")
        return card.backend

    def _refuse_if_named(self, backend: str) -> None:
        if named := self.settings.plugins.table(backend).get("python"):
            raise ConflictError(
                f"`python` in [plugins.{backend}] of uml.toml names '{named}', which goes before an environment that "
                "UML makes; remove that line first"
            )

    def _view(self, card: PluginCard, python: str, sentence: str) -> dict[str, Any]:
        return {"plugin": card.name, "distribution": card.distribution, "python": python, "sentence": sentence}


def _names(card: PluginCard) -> set[str]:
    return {card.name} | ({card.backend.name} if card.backend else set())


def _known(card: PluginCard) -> str:
    """The requirement that adds nothing but the engine to a plugin that is here."""
    name, _, version = card.distribution.partition(" ")
    if not version:
        raise PluginError(f"'{card.name}' comes with UML itself; there is nothing to install")
    extra = _extra(card)
    return f"{name}[{extra}]=={version}" if extra else f"{name}=={version}"


def _extra(card: PluginCard) -> str:
    return EXTRA if engine_distributions(card) else ""


def _install_here(requirements: Sequence[str], tell: Tell) -> None:
    """Install into UML's own environment, and leave this UML's core as it is."""
    installer = find_installer()
    if installer.seeds:
        raise PluginError(f"neither pip nor uv is here to install with; run `{sys.executable} -m ensurepip`")
    with tempfile.TemporaryDirectory(prefix="uml-install-") as work:
        constraint = Path(work, "constraint.txt")
        constraint.write_text(f"{CORE}=={__version__}\n", "utf-8")
        _install(installer, [*requirements, "--constraint", str(constraint)], Path(work), tell)


def _install(installer: Installer, words: Sequence[str], work: Path, tell: Tell) -> None:
    temporary = work / "tmp"
    temporary.mkdir()
    installer.install(Path(sys.executable), words, temporary=temporary, tell=tell)


def _found(base: str) -> Path:
    if not base:
        return Path(sys.executable)
    found = shutil.which(Path(base).expanduser())
    if found is None:
        raise BadRequestError(f"'{base}' is no program; name a Python 3.11 or newer with --python")
    return Path(found).absolute()


def _check(card: PluginCard, python: Path) -> None:
    """Look whether the new environment would do.

    :raises PluginError: it would not
    """
    try:
        unfit = misfit(card, {"python": python})
    except (SettingsError, metadata.PackageNotFoundError) as error:
        raise PluginError(f"the new environment can't be used: {error}") from error
    if unfit:
        raise PluginError(f"what was installed does not fit this UML: {unfit.reason}")
