"""How many threads a load gets, and how its idle ones wait."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core.errors import InvalidOptionsError
from uml_core.planning.learned import Learned, Pair, learned
from uml_core.settings import ModelSettings, Settings
from uml_core.types import HostInfo, LoadRequest, Profile

MOST = 1024


def default_pair(host: HostInfo) -> Pair:
    """What nobody said and nothing was learned about: a core stays free for the rest of the machine."""
    return max(1, host.physical_cores - 1), None


def said_pair(request: LoadRequest, own: ModelSettings, settings: Settings) -> tuple[int | None, bool | None]:
    """What was said, by the request, else of the model in ``uml.toml``, else for all models.

    :raises InvalidOptionsError: so many threads are none, or too many
    """
    threads = next((said for said in (request.threads, own.threads, settings.threads) if said is not None), None)
    spin = next((said for said in (request.spin, own.spin, settings.spin) if said is not None), None)
    if threads is not None and not 1 <= threads <= MOST:
        raise InvalidOptionsError(f"threads is {threads}, but must be from 1 to {MOST}", param="threads")
    return threads, spin


def choose(
    said: tuple[int | None, bool | None], profiles: Iterable[Profile], *, backend: str, host: HostInfo
) -> tuple[Pair, Learned | None]:
    """Threads and spin: what was said, else what was learned of both together, else the default.

    Whoever says one of them gets the other as it is by default, for it was learned with other threads.

    :param profiles: of this model on this machine
    """
    usual = default_pair(host)
    if said != (None, None):
        return (said[0] or usual[0], said[1]), None
    better = learned(profiles, backend=backend, default=usual)
    return (better.threads, better.spin) if better else usual, better
