"""Give an encoder of sentences a head of its own: one output, to rank with, or several, to classify with.

Usage: bert_head.py HF_FOLDER LABEL [LABEL ...] FOLDER

The head is drawn with a seed: what it thinks means nothing, but every engine must think the same.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def give_head(source: Path, folder: Path, labels: list[str]) -> None:
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=len(labels), dtype=torch.float32)
    torch.nn.init.normal_(model.classifier.weight, std=0.5)  # so that answers differ by more than rounding
    kinds = model.get_parameter("bert.embeddings.token_type_embeddings.weight")
    kinds.data[1] = kinds.data[0]  # llama.cpp takes all of a pair for its first half
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: number for number, label in enumerate(labels)}
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)


if __name__ == "__main__":
    give_head(Path(sys.argv[1]), Path(sys.argv[-1]), sys.argv[2:-1])
