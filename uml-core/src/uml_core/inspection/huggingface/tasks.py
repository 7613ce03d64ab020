"""What a model is for: the pipeline tags of the Hugging Face Hub that its configuration speaks for."""

from __future__ import annotations

from uml_core.inspection.huggingface.facts import Facts
from uml_core.inspection.huggingface.families import PICTURES

VISION = ("vision_config", "vision_tower", "mm_vision_tower", "visual", "image_token_id", "image_token_index")
AUDIO = ("audio_config", "audio_encoder_config", "audio_token_id", "audio_token_index", "audio_processor")
SPEECH = ("whisper", "speech_to_text", "moonshine", "speecht5_asr", "seamless_m4t", "seamless_m4t_v2", "granite_speech")
TRANSLATORS = ("marian", "m2m_100", "nllb-moe", "fsmt")
SPEAKERS = ("vits", "bark", "parler_tts", "dia", "csm", "fastspeech2_conformer", "speecht5", "xcodec")
BY_TYPE = {
    "clip": ("zero-shot-image-classification",),
    "siglip": ("zero-shot-image-classification",),
    "siglip2": ("zero-shot-image-classification",),
    "sam": ("mask-generation",),
    "sam2": ("mask-generation",),
    "owlvit": ("zero-shot-object-detection",),
    "owlv2": ("zero-shot-object-detection",),
    "grounding-dino": ("zero-shot-object-detection",),
    "vision-encoder-decoder": ("image-to-text",),
    "trocr": ("image-to-text",),
    "musicgen": ("text-to-audio",),
}
BY_ENDING = (
    ("ForTokenClassification", ("token-classification",)),
    ("ForQuestionAnswering", ("question-answering",)),
    ("ForMaskedLM", ("fill-mask",)),
    ("ForImageClassification", ("image-classification",)),
    ("ForVideoClassification", ("video-classification",)),
    ("ForAudioClassification", ("audio-classification",)),
    ("ForZeroShotObjectDetection", ("zero-shot-object-detection",)),
    ("ForObjectDetection", ("object-detection",)),
    ("Segmentation", ("image-segmentation",)),
    ("ForDepthEstimation", ("depth-estimation",)),
    ("ForCTC", ("automatic-speech-recognition",)),
    ("ForSpeechSeq2Seq", ("automatic-speech-recognition",)),
    ("ForTextToSpeech", ("text-to-speech",)),
    ("ForTextToWaveform", ("text-to-speech",)),
    ("ForSpeechToText", ("automatic-speech-recognition",)),
    ("ForDocumentQuestionAnswering", ("document-question-answering",)),
    ("ForTextEncoding", ("feature-extraction",)),
    ("ForPreTraining", ("feature-extraction",)),
)
WRITERS = ("ForCausalLM", "LMHeadModel", "ChatModel", "ForConditionalGeneration", "ForVision2Seq", "ForImageTextToText")
TAGS = frozenset(
    (
        *("text-generation", "text2text-generation", "image-text-to-text", "audio-text-to-text", "any-to-any"),
        *("translation", "summarization", "feature-extraction", "sentence-similarity", "text-ranking"),
        *("text-classification", "fill-mask", "token-classification", "question-answering"),
        *("zero-shot-classification", "image-classification", "object-detection", "image-segmentation"),
        *("depth-estimation", "image-to-text", "image-feature-extraction", "zero-shot-image-classification"),
        *("automatic-speech-recognition", "text-to-speech", "text-to-audio", "audio-classification"),
        *("voice-activity-detection", "mask-generation", "video-classification"),
    )
)
NARROWER = {"text-ranking", "feature-extraction", "translation", "summarization"}
"""What an author's tag says more exactly than the class of the model does."""

TEXT, IMAGE, SOUND = ("text",), ("image",), ("audio",)
TAKES = {
    "image-text-to-text": ("text", "image"),
    "audio-text-to-text": ("text", "audio"),
    "any-to-any": ("text", "image", "audio"),
    "automatic-speech-recognition": SOUND,
    "audio-classification": SOUND,
    "voice-activity-detection": SOUND,
    "zero-shot-image-classification": ("text", "image"),
    "zero-shot-object-detection": ("text", "image"),
    "document-question-answering": ("text", "image"),
    **dict.fromkeys(
        (
            *("image-classification", "object-detection", "image-segmentation", "depth-estimation", "image-to-text"),
            *("image-feature-extraction", "mask-generation", "video-classification"),
        ),
        IMAGE,
    ),
}


def read_tasks(config: Facts, architecture: str | None, *, embeds: bool, tag: str | None) -> tuple[str, ...]:
    """The tasks of a model, the most fitting first.

    :param embeds: its folder says how a sentence's vector is made of its tokens' (sentence-transformers)
    :param tag: the task that its author gives it
    """
    found = _by_class(config, architecture or "")
    if embeds and "text-ranking" not in found and "text-classification" not in found:
        found = ("feature-extraction", *(task for task in found if task != "feature-extraction"))
    if tag in TAGS and tag not in found and (not found or tag in NARROWER):
        found = (tag, *found)
    return found


def modalities(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """What a model for *tasks* takes."""
    taken = {kind for task in tasks for kind in TAKES.get(task, TEXT)}
    return tuple(kind for kind in ("text", "image", "audio") if kind in taken)


def _by_class(config: Facts, name: str) -> tuple[str, ...]:
    type = config.text("model_type") or ""
    if type in SPEECH or name.startswith(("Whisper", "Moonshine")):
        return (
            ("audio-classification",) if name.endswith("ForAudioClassification") else ("automatic-speech-recognition",)
        )
    if name.endswith("ForSequenceClassification"):
        return ("text-ranking",) if _labels(config) == 1 else ("text-classification",)
    for ending, tasks in BY_ENDING:
        if name.endswith(ending):
            return tasks
    if type in BY_TYPE:
        return BY_TYPE[type]
    if type in SPEAKERS:
        return ("text-to-speech",)
    return _by_parts(config, name, type)


def _by_parts(config: Facts, name: str, type: str) -> tuple[str, ...]:
    nested = config.part("thinker_config")
    sees = config.has(*VISION) or bool(nested and nested.has(*VISION))
    hears = config.has(*AUDIO) or bool(nested and nested.has(*AUDIO))
    if not name.endswith(WRITERS) and not (sees or hears):
        if not name.endswith(("Model", "Encoder")):
            return ()
        return ("image-feature-extraction",) if type in PICTURES else ("feature-extraction",)
    if sees and hears:
        return ("any-to-any", "image-text-to-text", "audio-text-to-text", "text-generation")
    if sees:
        return ("image-text-to-text", "text-generation")
    if hears:
        return ("audio-text-to-text", "text-generation")
    if type in TRANSLATORS:
        return ("translation", "text2text-generation")
    return ("text2text-generation",) if config.flag("is_encoder_decoder") or type == "t5" else ("text-generation",)


def _labels(config: Facts) -> int:
    names = config.part("id2label")
    return config.count("num_labels") or (len(names.values) if names else 2)
