"""The names that tasks may have."""

PIPELINE_TAGS = frozenset(
    """
    any-to-any audio-classification audio-text-to-text audio-to-audio automatic-speech-recognition depth-estimation
    document-question-answering feature-extraction fill-mask graph-ml image-classification image-feature-extraction
    image-segmentation image-text-to-image image-text-to-text image-text-to-video image-to-3d image-to-image
    image-to-text image-to-video keypoint-detection mask-generation object-detection question-answering
    reinforcement-learning robotics sentence-similarity summarization table-question-answering tabular-classification
    tabular-regression text-classification text-generation text-ranking text-to-3d text-to-audio text-to-image
    text-to-speech text-to-video time-series-forecasting token-classification translation
    unconditional-image-generation video-classification video-text-to-text video-to-video visual-document-retrieval
    visual-question-answering voice-activity-detection zero-shot-classification zero-shot-image-classification
    zero-shot-object-detection
    """.split()  # noqa: SIM905 - a list of so many is not read any better in quotes
)
"""Hugging Face's pipeline tags, as huggingface.co/tasks lists them."""
