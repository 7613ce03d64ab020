"""The first tables: transitions, loads, requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _transitions()
    _loads()
    _requests()


def _transitions() -> None:
    op.create_table(
        "transitions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("at", sa.Text),
        sa.Column("machine", sa.Text),
        sa.Column("slot", sa.Integer),
        sa.Column("generation", sa.Integer),
        sa.Column("job_id", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("from_state", sa.Text),
        sa.Column("to_state", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_transitions_at", "transitions", ["at"])


def _loads() -> None:
    op.create_table(
        "loads",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("backend", sa.Text),
        sa.Column("request", sa.JSON),
        sa.Column("options", sa.JSON),
        sa.Column("context_length", sa.Integer),
        sa.Column("state", sa.Text),
        sa.Column("cause_code", sa.Text),
        sa.Column("cause", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("previous", sa.Text),
        sa.Column("started", sa.Text),
        sa.Column("finished", sa.Text),
        *(sa.Column(name, sa.Float) for name in ("seconds", "check_s", "drain_s", "unload_s", "start_s", "probe_s")),
        sa.Column("predicted_bytes", sa.Integer),
        sa.Column("measured_bytes", sa.Integer),
        sa.Column("rolled_back", sa.Boolean),
        sa.Column("generation", sa.Integer),
    )
    op.create_index("ix_loads_finished", "loads", ["finished"])
    op.create_index("ix_loads_model_id_backend", "loads", ["model_id", "backend"])


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("started", sa.Text),
        sa.Column("finished", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("task", sa.Text),
        sa.Column("path", sa.Text),
        sa.Column("generation", sa.Integer),
        sa.Column("attempts", sa.Integer),
        sa.Column("status", sa.Text),
        sa.Column("code", sa.Text),
        sa.Column("http_status", sa.Integer),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("queue_s", sa.Float),
        sa.Column("first_token_s", sa.Float),
        sa.Column("total_s", sa.Float),
        sa.Column("streamed", sa.Boolean),
    )
    op.create_index("ix_requests_started", "requests", ["started"])
