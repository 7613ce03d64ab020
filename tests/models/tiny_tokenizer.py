"""The tiny model's vocabulary and chat template."""

import random
import re
from pathlib import Path

from tiny_lessons import LONG, lesson
from tiny_pictures import COLOURS, SHAPES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEMPLATE = Path(__file__).with_name("tiny_template.jinja").read_text("utf-8")
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<fake_token_around_image>", "<global-img>")
PLACES = ("<end_of_utterance>", *(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)))
MARKS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""What is part of an answer's text, as Qwen's vocabulary has them, and not hidden as control tokens are."""
ASKS = ("What is in the image?", "Describe the image.", "What do you see?", "Describe this picture.")


def corpus(chance: random.Random) -> list[str]:
    """Some of everything that the model is to read and write."""
    named = [f"{ask} a {colour} {shape}" for ask in ASKS for colour in COLOURS for shape in SHAPES]
    lessons = [lesson(chance) for _ in range(2000)]
    spoken = [f"{message['role']}\n{message['content']}" for messages, *_ in lessons for message in messages]
    # llama.cpp looks "\n\n" up as one token when it lays out a picture
    return [
        *named,
        *spoken,
        *(answer for *_, answer in lessons),
        *LONG,
        "get_weather(city), add(a, b)",
        *["\n\n"] * 300,
    ]


def make_tokenizer(chance: random.Random) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    inner.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = [*CONTROL, *PLACES]
    trainer = trainers.BpeTrainer(
        vocab_size=474, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator((re.sub("|".join(MARKS), "", text) for text in corpus(chance)), trainer)
    inner.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        additional_special_tokens=[*CONTROL[3:], *PLACES],
        chat_template=TEMPLATE,
        model_max_length=1024,
    )
