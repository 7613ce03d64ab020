"""The live gateway of this data folder, for the commands that act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uml_core.errors import UnavailableError

if TYPE_CHECKING:
    from uml_core.client import UniversalClient
    from uml_core.settings import Settings


def live_client(settings: Settings) -> UniversalClient | None:
    """A client of the gateway that serves this data folder; None when none is running."""
    from uml_core.client import UniversalClient, find_gateway

    gateway = find_gateway(settings.run_folder / "gateway.json")
    if gateway is None:
        return None
    # a cancel is silent until the model before is back, and the gateway ends a load that takes longer
    return UniversalClient.of(gateway, timeout_s=settings.supervisor.load_timeout_s + 60)


def needed_client(settings: Settings) -> UniversalClient:
    """A client of the gateway that serves this data folder.

    :raises UnavailableError: none is running
    """
    client = live_client(settings)
    if client is None:
        raise UnavailableError("no gateway is running; start one with `uml serve`")
    return client
