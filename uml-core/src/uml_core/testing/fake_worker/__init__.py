r"""A worker without an engine: it speaks the worker protocol, and fails in the ways that its script says.

Run as ``python -I -S fake_worker`` (the folder) with ``UML_LAUNCH_FILE`` set; the standard library is all it needs, so
that it starts in some 40 ms. The script is the model file's JSON (``FAKE1\n{"load_s": 2}``) with the plan's options on
top; :class:`uml_core.testing.FakeOptions` says what each key does. A prompt with ``nonce=xyz`` is answered with ``xyz``
as its first token, so that a test can tell whose answer it got. It speaks to uml_core by nothing but the protocol.
"""

from pathlib import Path

from .script import DEFAULTS, FAULTY, MAGIC

PROGRAM = Path(__file__).parent
"""What ``python -I -S`` is given."""

__all__ = ("DEFAULTS", "FAULTY", "MAGIC", "PROGRAM")
