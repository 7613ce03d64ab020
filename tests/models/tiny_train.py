"""Train the project's own tiny model, which reads tools, thinks, and names shapes in pictures: some 20 minutes.

Usage: tiny_train.py FOLDER [STEPS FURTHER_STEPS_WITH_PICTURES_ONLY]

Writes what `tests/data/tiny` holds: weights in half precision, configuration, tokenizer and processor. One thread and a
seed, so that one machine makes the same weights again; what they must answer is in `tests/models/test_tiny.py`.
"""

import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tiny_lessons import LONG, lesson
from tiny_model import IMAGE_TOKENS, make_model, make_processor
from tiny_pictures import COLOURS, SHAPES, draw
from tiny_tokenizer import ASKS, make_tokenizer
from torch.nn.functional import cross_entropy

ALONE = "<fake_token_around_image><global-img>" + "<image>" * IMAGE_TOKENS + "<fake_token_around_image>"
TILED = "<fake_token_around_image><row_1_col_1>" + "<image>" * IMAGE_TOKENS + "\n\n" + ALONE
"""transformers shows a small picture once, llama.cpp as one tile and as the overview."""


class School:
    """The model while it learns."""

    def __init__(self, steps: int) -> None:
        self.chance = random.Random(0)
        torch.manual_seed(0)
        self.steps = steps
        self.tokenizer = make_tokenizer(self.chance)
        self.model = make_model(self.tokenizer).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3, weight_decay=0.01, betas=(0.9, 0.98))

    def encoded(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def row(self, prompt: str, answer: str) -> tuple[list[int], int]:
        """Tokens, and how many of them are the prompt."""
        before = self.encoded(prompt)
        return before + self.encoded(f"{answer}<|im_end|>"), len(before)

    def spoken(self) -> tuple[list[int], int]:
        messages, tools, thinks, answer = lesson(self.chance)
        if self.chance.random() < 0.02:
            messages, tools, thinks, answer = [{"role": "user", "content": LONG[0]}], [], False, LONG[1]
        prompt = self.tokenizer.apply_chat_template(
            messages, tools=tools or None, add_generation_prompt=True, thinking=thinks, tokenize=False
        )
        return self.row(prompt, answer)

    def seen(self) -> tuple[tuple[list[int], int], np.ndarray]:
        colour, shape = self.chance.choice(list(COLOURS)), self.chance.choice(SHAPES)
        shown, ask = self.chance.choice((ALONE, TILED)), self.chance.choice(ASKS)
        body = self.chance.choice((shown + ask, f"{shown}\n{ask}", ask + shown))
        pixels = np.asarray(draw(colour, shape, self.chance), np.float32).transpose(2, 0, 1) / 127.5 - 1
        unseen = np.zeros_like(pixels)  # nothing but zeros is taken for padding
        both = np.stack([pixels, pixels if shown is TILED else unseen])
        return self.row(f"<|im_start|>user\n{body}<|im_end|>\n<|im_start|>assistant\n", f"a {colour} {shape}"), both

    def loss(self, rows: list[tuple[list[int], int]], pixels: torch.Tensor | None = None) -> torch.Tensor:
        length = max(len(tokens) for tokens, _ in rows)
        ids = torch.full((len(rows), length), self.tokenizer.pad_token_id)
        wanted, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for place, (tokens, prompt) in enumerate(rows):
            ids[place, : len(tokens)] = torch.tensor(tokens)
            wanted[place, prompt : len(tokens)] = torch.tensor(tokens[prompt:])
            mask[place, : len(tokens)] = 1
        logits = self.model(input_ids=ids, attention_mask=mask, pixel_values=pixels).logits
        return cross_entropy(logits[:, :-1].flatten(0, 1), wanted[:, 1:].flatten())

    def step(self, number: int) -> tuple[float, float]:
        rate = min(1, (number + 1) / 60) * (0.02 + 0.98 * (1 - number / self.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = 2e-3 * rate
        text = self.loss([self.spoken() for _ in range(24)])
        text.backward()
        sight = self.look(16)
        self.apply()
        return text.item(), sight

    def look(self, count: int) -> float:
        """Learn from *count* pictures."""
        rows, pixels = zip(*(self.seen() for _ in range(count)), strict=True)
        loss = self.loss(list(rows), torch.from_numpy(np.stack(pixels)))
        loss.backward()
        return loss.item()

    def look_closer(self, number: int, steps: int) -> float:
        """Train the eyes alone, of *steps* the *number*-th time: what it says of texts stays as it is."""
        self.model.model.text_model.requires_grad_(False)
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-3 * (1 - number / steps)
        loss = self.look(32)
        self.apply()
        return loss

    def apply(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def main(folder: Path, steps: int, further: int) -> None:
    torch.set_num_threads(1)
    school, before = School(steps), time.monotonic()
    for number in range(steps):
        losses = school.step(number)
        if number % 100 == 0 or number == steps - 1:
            print(number, *(f"{loss:.4f}" for loss in losses), f"{time.monotonic() - before:.0f} s", flush=True)
    for number in range(further):
        loss = school.look_closer(number, further)
        if number % 100 == 0 or number == further - 1:
            print(number, f"{loss:.4f}", f"{time.monotonic() - before:.0f} s", flush=True)
    school.model.eval().half().save_pretrained(folder)
    make_processor(school.tokenizer).save_pretrained(folder)


if __name__ == "__main__":
    steps, further = map(int, sys.argv[2:] or (2600, 1000))
    main(Path(sys.argv[1]), steps, further)
