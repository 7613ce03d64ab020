"""A client of the gateway for people and for the command line; of the core it knows only types and errors."""

from uml_core.client.answer import Answer
from uml_core.client.client import UniversalClient
from uml_core.client.event import Event
from uml_core.client.gateway import Gateway, find_gateway

__all__ = ("Answer", "Event", "Gateway", "UniversalClient", "find_gateway")
