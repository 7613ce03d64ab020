"""What a graph is for, told by what goes in and comes out of it.

The names are those that exporters give: Optimum and transformers.js (``input_ids``, ``pixel_values``, ``logits`` …),
Piper, Kokoro, Silero, PaddleOCR and Ultralytics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import frozen

from uml_core.inspection.huggingface.tasks import modalities
from uml_core.inspection.onnx.value import Value

PICTURES = frozenset(("image-to-image", "keypoint-detection"))
"""Tasks on pictures that no configuration of transformers speaks for."""

ULTRALYTICS = {
    "detect": "object-detection",
    "obb": "object-detection",
    "segment": "image-segmentation",
    "pose": "keypoint-detection",
    "classify": "image-classification",
}
HIDDEN = ("last_hidden_state", "token_embeddings", "sentence_embedding", "pooler_output", "embeddings", "text_embeds")
LABELS = 1_000
"""More than any tagger of words has labels, and less than any vocabulary has words."""


@frozen(kw_only=True)
class Face:
    """Inputs and outputs by name, and the notes of the file."""

    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    notes: Mapping[str, str]

    def takes(self, *names: str) -> bool:
        return all(name in self.inputs for name in names)

    def gives(self, *names: str) -> bool:
        return any(name in self.outputs for name in names)

    @property
    def has_past(self) -> bool:
        return any(name.startswith("past") for name in self.inputs)

    def rank(self, name: str = "logits") -> int:
        """How many dimensions an output has; 0 if it isn't told."""
        value = self.outputs.get(name)
        return len(value.dimensions) if value and value.dimensions else 0

    def last(self, name: str = "logits") -> int | None:
        """The last dimension of an output, if the file says how long it is."""
        value = self.outputs.get(name)
        size = value.dimensions[-1] if value and value.dimensions else None
        return size if isinstance(size, int) and size > 0 else None


def face_of(inputs: Iterable[Value], outputs: Iterable[Value], notes: Mapping[str, str]) -> Face:
    return Face(
        inputs={value.name: value for value in inputs}, outputs={value.name: value for value in outputs}, notes=notes
    )


def task_of(face: Face) -> str | None:
    """The task that the graph can do by itself; None if nothing tells."""
    return next((task for guess in GUESSES if (task := guess(face))), None)


def modalities_of(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """What a model for *tasks* takes."""
    return ("image",) if PICTURES.intersection(tasks) else modalities(tasks)


def _speech(face: Face) -> str | None:
    if face.takes("input", "input_lengths", "scales") or face.takes("style", "speed"):
        return "text-to-speech"
    if face.takes("noise_scale", "length_scale") or face.notes.get("model_type") in ("vits", "kokoro", "matcha"):
        return "text-to-speech"
    recurrent = face.takes("state") or face.takes("h", "c")
    return "voice-activity-detection" if face.takes("input") and recurrent and len(face.inputs) <= 4 else None


def _sound(face: Face) -> str | None:
    if not (face.takes("input_features") or face.takes("input_values")):
        return None
    if face.gives("logits"):
        return "audio-classification" if face.rank() == 2 else "automatic-speech-recognition"
    return "feature-extraction" if face.gives(*HIDDEN) else None


def _text(face: Face) -> str | None:
    if not (face.takes("input_ids") or face.takes("inputs_embeds")):
        return None
    if face.takes("pixel_values"):
        return "zero-shot-image-classification" if face.gives("logits_per_image") else None
    if face.gives("start_logits"):
        return "question-answering"
    if face.gives("logits"):
        return "text-generation" if face.has_past else _labels(face)
    return "feature-extraction" if face.gives(*HIDDEN) else None


def _labels(face: Face) -> str | None:
    if face.rank() == 2:
        return "text-ranking" if face.last() == 1 else "text-classification"
    if face.rank() == 3 and (last := face.last()):
        return "token-classification" if last < LABELS else "fill-mask"
    return None


def _image(face: Face) -> str | None:
    if face.notes.get("task") in ULTRALYTICS and face.takes("images"):
        return ULTRALYTICS[face.notes["task"]]
    if not (face.takes("pixel_values") or (len(face.inputs) == 1 and all(map(_picture, face.inputs.values())))):
        return None
    if face.gives("pred_boxes"):
        return "object-detection"
    if face.gives("pred_masks"):
        return "image-segmentation"
    if face.gives(*HIDDEN, "image_embeds"):
        return "image-feature-extraction"
    return _one_picture(face) if len(face.outputs) == 1 else None


def _one_picture(face: Face) -> str | None:
    (name,) = face.outputs
    if face.rank(name) == 2:
        return "image-classification"
    if face.rank(name) == 3 and "character" in face.notes:
        return "image-to-text"
    if face.rank(name) == 4:
        channels = (face.outputs[name].dimensions or ())[1]
        return {1: "image-segmentation", 3: "image-to-image"}.get(channels) if isinstance(channels, int) else None
    return None


def _picture(value: Value) -> bool:
    """Whether *value* is a batch of pictures, with the channels first or last."""
    sizes = value.dimensions or ()
    return len(sizes) == 4 and (sizes[1] in (1, 3, 4) or sizes[3] in (1, 3, 4)) and value.type != "int64"


GUESSES: tuple[Callable[[Face], str | None], ...] = (_speech, _sound, _text, _image)
