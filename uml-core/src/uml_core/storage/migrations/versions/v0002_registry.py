"""What is remembered of models: their cards, aliases, pins, profiles and usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _models()
    _names()
    _profiles()
    _usage()


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("store", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("signature", sa.Text),
        sa.Column("card", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("seen", sa.Text),
        sa.Column("gone", sa.Text),
    )
    op.create_index("ix_models_gone", "models", ["gone"])


def _names() -> None:
    op.create_table(
        "aliases",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("created", sa.Text),
        sa.Column("removed", sa.Text),
    )
    op.create_table(
        "pins",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("created", sa.Text),
        sa.Column("removed", sa.Text),
    )


def _profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("model_bytes", sa.Integer),
        sa.Column("backend", sa.Text),
        sa.Column("engine", sa.Text),
        sa.Column("machine", sa.Text),
        sa.Column("threads", sa.Integer),
        sa.Column("spin", sa.Boolean),
        sa.Column("busy", sa.Boolean),
        sa.Column("context_length", sa.Integer),
        sa.Column("parallel", sa.Integer),
        sa.Column("options", sa.Text),
        sa.Column("load_s", sa.Float),
        sa.Column("first_token_s", sa.Float),
        sa.Column("prompt_tokens_per_s", sa.Float),
        sa.Column("decode_tokens_per_s", sa.Float),
        sa.Column("memory_bytes", sa.Integer),
        sa.Column("device_bytes", sa.Integer),
        sa.Column("runs", sa.Integer),
        sa.Column("source", sa.Text),
        sa.Column("measured", sa.Text),
    )
    op.create_index("ix_profiles_model_id_backend", "profiles", ["model_id", "backend", "measured"])


def _usage() -> None:
    op.create_table(
        "usage",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("loads", sa.Integer),
        sa.Column("requests", sa.Integer),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("last_loaded", sa.Text),
        sa.Column("last_used", sa.Text),
    )
