"""Stands in for a llama-server program: the same server, told by the same flags, of which it refuses every other."""

import argparse
import sys
import threading
from pathlib import Path

import xllamacpp

parser = argparse.ArgumentParser(allow_abbrev=False)
for flag in ("--model", "--alias", "--host", "--cache-type-k", "--cache-type-v", "--flash-attn", "--load-mode"):
    parser.add_argument(flag)
for flag in (
    "--ctx-size",
    "--parallel",
    "--threads",
    "--threads-batch",
    "--port",
    "--cache-ram",
    "--batch-size",
    "--ubatch-size",
):
    parser.add_argument(flag, type=int)
parser.add_argument("--api-key-file", type=Path)
for flag in ("--no-webui", "--no-slots", "--offline", "--no-warmup", "--embeddings", "--reranking", "--kv-unified"):
    parser.add_argument(flag, action="store_true")
said = parser.parse_args()

params = xllamacpp.CommonParams()
params.model.path, params.model_alias = said.model, {said.alias}
params.n_ctx, params.n_parallel, params.port, params.hostnames = said.ctx_size, said.parallel, said.port, [said.host]
params.cpuparams.n_threads, params.cpuparams_batch.n_threads = said.threads, said.threads_batch
params.api_keys = said.api_key_file.read_text().split()
params.ui, params.endpoint_slots = not said.no_webui, not said.no_slots
params.fit_params = False
params.embedding, params.kv_unified = said.embeddings or said.reranking, said.kv_unified
if said.reranking:
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
if said.ubatch_size:
    params.n_batch, params.n_ubatch = said.batch_size, said.ubatch_size
try:
    server = xllamacpp.Server(params)
except RuntimeError:
    sys.exit(1)
threading.Event().wait()
