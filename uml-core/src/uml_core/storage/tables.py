"""The tables. What a database really has is what the migrations make; a test holds the two together.

Times are ISO 8601 in UTC, so that their order is the text's order; ``…_s`` and ``seconds`` are in seconds. Everything
but a key may be missing: a row grows as more is known.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, MetaData, Table, Text

metadata = MetaData()

transitions = Table(
    "transitions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text),
    Column("at", Text),
    Column("machine", Text),  # worker | switch
    Column("slot", Integer),
    Column("generation", Integer),
    Column("job_id", Text),
    Column("model_id", Text),
    Column("from_state", Text),
    Column("to_state", Text),
    Column("reason", Text),
    Index("ix_transitions_at", "at"),
)

loads = Table(
    "loads",
    metadata,
    Column("id", Text, primary_key=True),  # the job's
    Column("run_id", Text),
    Column("kind", Text),
    Column("model_id", Text),
    Column("backend", Text),
    Column("request", JSON(none_as_null=True)),
    Column("options", JSON(none_as_null=True)),
    Column("context_length", Integer),
    Column("state", Text),
    Column("cause_code", Text),
    Column("cause", Text),
    Column("reason", Text),
    Column("previous", Text),
    Column("started", Text),
    Column("finished", Text),
    Column("seconds", Float),
    Column("check_s", Float),
    Column("drain_s", Float),
    Column("unload_s", Float),
    Column("start_s", Float),
    Column("probe_s", Float),
    Column("predicted_bytes", Integer),
    Column("measured_bytes", Integer),
    Column("rolled_back", Boolean),
    Column("generation", Integer),
    Index("ix_loads_finished", "finished"),
    Index("ix_loads_model_id_backend", "model_id", "backend"),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text),
    Column("request_id", Text),
    Column("started", Text),
    Column("finished", Text),
    Column("model_id", Text),
    Column("task", Text),
    Column("path", Text),
    Column("generation", Integer),
    Column("attempts", Integer),
    Column("status", Text),  # started | ok | error | cancelled | aborted
    Column("code", Text),
    Column("http_status", Integer),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("queue_s", Float),
    Column("first_token_s", Float),
    Column("total_s", Float),
    Column("streamed", Boolean),
    Index("ix_requests_started", "started"),
)

models = Table(
    "models",
    metadata,
    Column("id", Text, primary_key=True),  # its path
    Column("run_id", Text),
    Column("store", Text),
    Column("model_id", Text),
    Column("signature", Text),  # JSON, like the card: text that is compared or parsed by who asks for it
    Column("card", Text),
    Column("error", Text),  # why there is no card
    Column("seen", Text),
    Column("gone", Text),
    Index("ix_models_gone", "gone"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("id", Text, primary_key=True),  # the alias
    Column("run_id", Text),
    Column("model_id", Text),
    Column("created", Text),
    Column("removed", Text),
)

pins = Table(
    "pins",
    metadata,
    Column("id", Text, primary_key=True),  # the model's
    Column("run_id", Text),
    Column("created", Text),
    Column("removed", Text),
)

profiles = Table(
    "profiles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text),
    Column("model_id", Text),
    Column("model_bytes", Integer),
    Column("backend", Text),
    Column("engine", Text),
    Column("machine", Text),
    Column("threads", Integer),
    Column("spin", Boolean),
    Column("busy", Boolean),
    Column("context_length", Integer),
    Column("parallel", Integer),
    Column("options", Text),  # JSON
    Column("load_s", Float),
    Column("first_token_s", Float),
    Column("prompt_tokens_per_s", Float),
    Column("decode_tokens_per_s", Float),
    Column("memory_bytes", Integer),
    Column("device_bytes", Integer),
    Column("runs", Integer),
    Column("source", Text),  # bench | served
    Column("measured", Text),
    Index("ix_profiles_model_id_backend", "model_id", "backend", "measured"),
)

usage = Table(
    "usage",
    metadata,
    Column("id", Text, primary_key=True),  # the model's
    Column("run_id", Text),
    Column("loads", Integer),
    Column("requests", Integer),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("last_loaded", Text),
    Column("last_used", Text),
)

measurements = Table(
    "measurements",
    metadata,
    Column("id", Text, primary_key=True),  # the load, the device and the kind
    Column("run_id", Text),
    Column("model_id", Text),
    Column("backend", Text),
    Column("engine", Text),
    Column("machine", Text),
    Column("architecture", Text),
    Column("quantization", Text),
    Column("how", Text),
    Column("device", Text),
    Column("kind", Text),  # weights | kv_cache | compute | overhead
    Column("predicted_bytes", Integer),
    Column("measured_bytes", Integer),
    Column("units", Integer),
    Column("used", Boolean),
    Column("measured", Text),
    Index("ix_measurements_measured", "measured"),
)
