"""A Piper voice: the file ``X.onnx.json`` beside the graph, which says how to turn text into its input.

The layout is that of https://github.com/rhasspy/piper/blob/master/TRAINING.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from uml_core.inspection.huggingface.facts import Facts
from uml_core.inspection.json_file import read_object
from uml_core.inspection.onnx.face import Face

VOICE_BYTES = 2**20
PIPER = ("input", "input_lengths", "scales")


@frozen(kw_only=True)
class Voice:
    """``architecture`` is Piper's; all is empty for what is no voice."""

    name: str = ""
    architecture: str | None = None
    files: tuple[Path, ...] = ()
    metadata: Mapping[str, object] = field(factory=dict)

    def missing(self, face: Face) -> tuple[str, ...]:
        """The name of the file that a Piper voice can't speak without, unless it is there or the notes hold it."""
        needed = face.takes(*PIPER) and not self.files and "sample_rate" not in face.notes
        return (self.name,) if needed else ()


def read_voice(path: Path) -> Voice:
    """Read what lies beside the graph *path*, if it is a voice's.

    :raises InvalidModelFileError: it is there, and can't be read
    """
    beside = path.with_name(f"{path.name}.json")
    if not beside.is_file():
        return Voice(name=beside.name)
    told = Facts(beside.name, read_object(beside, most_bytes=VOICE_BYTES))
    audio, language, espeak = (told.part(key) for key in ("audio", "language", "espeak"))
    if audio is None or "phoneme_id_map" not in told:
        return Voice(name=beside.name)
    metadata = {
        "audio.sample_rate": audio.count("sample_rate"),
        "audio.quality": audio.text("quality"),
        "language.code": language.text("code") if language else None,
        "espeak.voice": espeak.text("voice") if espeak else None,
        "num_speakers": told.count("num_speakers"),
    }
    return Voice(
        name=beside.name,
        architecture="vits",
        files=(beside,),
        metadata={key: value for key, value in metadata.items() if value is not None},
    )
