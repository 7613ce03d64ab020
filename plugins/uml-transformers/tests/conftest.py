import json
import os
import random
from pathlib import Path

import pytest

from uml_core.inspection.pytorch import read as read_pickles
from uml_core.inspection.safetensors import read as read_safetensors
from uml_core.types import Plan
from uml_core.worker import ChatRequest
from uml_core.worker.delta import Delta, Wait
from uml_transformers.options import Options

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory):
    """A tokenizer of 512 bytes and pairs, with a chat template: enough for models of random weights."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    words = random.Random(1)
    text = (" ".join(words.choice(("count", "from", "one", "to", "ten")) for _ in range(9)) for _ in range(99))
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    template = "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}{% endfor %}<s>assistant: "
    config = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": template}
    config |= {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def plan_of():
    """Plans of a folder's model, on the processor."""

    def make(folder: Path, **said) -> Plan:
        pickles = not list(folder.glob("*.safetensors"))
        source = (read_pickles if pickles else read_safetensors)(folder)
        values = {
            "model_id": "m",
            "model": source,
            "backend": "transformers",
            "tasks": source.tasks,
            "context_length": 128,
            "parallel": 3,
            "threads": 1,
            "options": Options().model_dump(),
            "settings": {"python": None, "trust_remote_code": False},
        }
        return Plan(**{**values, **said})

    return make


@pytest.fixture
def answers():
    """What an engine answers to requests that are asked together: the text of each."""

    def ask(engine, *requests):
        going = [
            (engine.chat if isinstance(request, ChatRequest) else engine.complete)(engine.prepare(request))
            for request in requests
        ]
        texts, live = [b""] * len(going), set(range(len(going)))
        while live:
            for at in sorted(live):
                while not isinstance(piece := next(going[at], None), Wait):
                    if piece is None:
                        live.discard(at)
                        break
                    text = piece.text if isinstance(piece, Delta) else piece
                    texts[at] += text.encode() if isinstance(text, str) else text
            engine.step()
        return [text.decode() for text in texts]

    return ask
