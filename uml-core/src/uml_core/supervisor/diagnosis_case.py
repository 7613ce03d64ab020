"""One worker's end, and how to speak of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from uml_core.inspection.file import shown
from uml_core.types import Diagnosis, Plan, WorkerExit
from uml_core.types.status import LOADING

MARKED = re.compile(r"(?:[\d.]+ E |E\d{4} |\[?(?:error|ERROR|fatal|FATAL)\b)")
HARMLESS = re.compile(r"failed to initialize (CUDA|ROCm|MUSA): no \1-capable device")
"""ggml says so wherever GPUs are hidden from it or there are none, as an error, and goes on without them."""
SMALLEST_CONTEXT = 512
LINE_CHARACTERS, SAID_CHARACTERS = 2000, 160


@frozen(kw_only=True)
class Case:
    """What is known of a worker that ended; ``elapsed_s`` is since its launch."""

    plan: Plan
    exit: WorkerExit
    elapsed_s: float = 0.0

    @property
    def loading(self) -> bool:
        """Whether it ended before it was of use to anybody."""
        return self.exit.state in LOADING

    @property
    def who(self) -> str:
        return f"'{shown(self.plan.model_id)}'"

    @property
    def opening(self) -> str:
        return f"{self.who} {'could not be loaded' if self.loading else 'stopped'}"

    @property
    def lines(self) -> tuple[str, ...]:
        """What it said last, without what is no reason to end, each cut where no sense is to be expected any more."""
        said = (line.strip()[:LINE_CHARACTERS] for line in self.exit.log_tail)
        return tuple(line for line in said if line and not HARMLESS.search(line))

    @property
    def complaint(self) -> str:
        """The first line that its log marks as an error, else its last: a worker of ours says there why it ends."""
        marked = (line for line in self.lines if MARKED.match(line))
        return next(marked, self.lines[-1] if self.lines else "")

    @staticmethod
    def quoted(line: str) -> str:
        """*line* within a sentence: printable and short."""
        safe = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
        return safe if len(safe) <= SAID_CHARACTERS else f"{safe[: SAID_CHARACTERS - 1]}…"

    def less(self) -> dict[str, Any]:
        """Load options that need less memory; empty if there is nothing left to save."""
        less: dict[str, Any] = {}
        if self.plan.context_length > SMALLEST_CONTEXT:
            less["context_length"] = max(SMALLEST_CONTEXT, self.plan.context_length // 2)
        if self.plan.parallel > 1:
            less["parallel"] = 1
        return less

    def command(self, options: Mapping[str, Any]) -> str:
        """The command that loads the model with *options*, to be copied."""
        flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        return f"`{shlex.join(['uml', 'load', self.plan.model_id, *flags])}`"

    def or_less(self) -> str:
        """The part of a sentence that says how to need less memory."""
        less = self.less()
        return f"or try {self.command(less)}" if less else "or choose a smaller model or a smaller quantization of it"

    def found(
        self,
        code: str,
        because: str,
        way_out: str,
        *,
        deterministic: bool = False,
        suggestion: Mapping[str, Any] | None = None,
        evidence: str = "",
    ) -> Diagnosis:
        """Put a diagnosis together. What can only go wrong again when loading says nothing about a model that ran."""
        return Diagnosis(
            code=code,
            message=f"{self.opening}: {because}; {way_out}",
            suggestion=suggestion or {},
            deterministic=deterministic and self.loading,
            evidence=evidence,
        )
