"""What loads took of memory, kind by kind, beside what was predicted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "measurements",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("backend", sa.Text),
        sa.Column("engine", sa.Text),
        sa.Column("machine", sa.Text),
        sa.Column("architecture", sa.Text),
        sa.Column("quantization", sa.Text),
        sa.Column("how", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("predicted_bytes", sa.Integer),
        sa.Column("measured_bytes", sa.Integer),
        sa.Column("units", sa.Integer),
        sa.Column("used", sa.Boolean),
        sa.Column("measured", sa.Text),
    )
    op.create_index("ix_measurements_measured", "measurements", ["measured"])
