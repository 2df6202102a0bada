"""The tables. A row is the truth about its run; Celery's message and the dashboard's picture are only its shadows."""

from runs.tables.access import ApiKeyRow, AuditRow, DeliveryRow, LoginTokenRow, SessionRow, WebhookRow
from runs.tables.base import Base
from runs.tables.life import (
    AttemptRow,
    EventRow,
    GpuSlotRow,
    IdempotencyRow,
    RunRow,
    SweepRow,
    WorkerRow,
)
from runs.tables.record import (
    AliasRow,
    CheckpointRow,
    ExpertTokensRow,
    GuidanceRollupRow,
    GuidanceRow,
    PointRow,
    ProblemRow,
    RollupRow,
    SegmentRow,
    SeriesRow,
    VisitRow,
)
from runs.tables.scores import BoardRow, OutcomeRow, ScoreRow, SettingRow

__all__ = [
    "AliasRow",
    "ApiKeyRow",
    "AttemptRow",
    "AuditRow",
    "Base",
    "BoardRow",
    "CheckpointRow",
    "DeliveryRow",
    "EventRow",
    "ExpertTokensRow",
    "GpuSlotRow",
    "GuidanceRollupRow",
    "GuidanceRow",
    "IdempotencyRow",
    "LoginTokenRow",
    "OutcomeRow",
    "PointRow",
    "ProblemRow",
    "RollupRow",
    "RunRow",
    "ScoreRow",
    "SegmentRow",
    "SeriesRow",
    "SessionRow",
    "SettingRow",
    "SweepRow",
    "VisitRow",
    "WebhookRow",
    "WorkerRow",
]
