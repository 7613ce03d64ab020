"""What an unload gave back, and how that is known."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Release:
    """The proof that a worker is gone.

    ``expected_bytes`` is what its process tree held before the end (private memory and devices), ``freed_bytes`` what
    of it is free again, ``unattributed_bytes`` the rest, which nobody that can be seen holds; it only makes the budget
    smaller. ``leftover_pids`` are processes of ours that can't be ended: as long as there is one, or ``lock_free`` or
    ``port_free`` is false, the slot is quarantined. ``devices_known`` is false when the device memory could not be
    read; then only processes, lock and port are proven. ``seconds`` is from the order to end until the proof.
    """

    model_id: str
    generation: int
    freed_bytes: int = 0
    expected_bytes: int = 0
    unattributed_bytes: int = 0
    leftover_pids: tuple[int, ...] = ()
    lock_free: bool = True
    port_free: bool = True
    devices_known: bool = True
    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether nothing of ours is left; memory that nobody holds is no reason to doubt it."""
        return self.lock_free and self.port_free and not self.leftover_pids
