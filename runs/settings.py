"""What an operator sets, by environment variables with the prefix `TRAPO_` or a `.env` file."""

import ipaddress
import sys
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).parent.parent


class Settings(BaseSettings):
    """The service's settings. Durations are in seconds. Each field is explained in `.env.example`."""

    model_config = SettingsConfigDict(env_prefix="TRAPO_", env_file=".env", extra="ignore", validate_default=True)

    home: Path = Field(Path("~/.trapo"), description="Everything the service keeps: database, runs, admin key.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite under the home.")
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="Celery's broker; redis+socket:///path for a unix socket."
    )
    data_dir: Path | None = Field(None, description="Root of data files; default <home>/data.")
    models_dir: Path | None = Field(None, description="Root of model folders; default <home>/models.")
    recipes_dir: Path = REPOSITORY / "recipes"
    frontend_dir: Path = REPOSITORY / "frontend" / "dist"

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    tls_terminated_by_proxy: bool = Field(False, description="Needed to listen beyond this machine.")
    public_url: str = Field("", description="What users type; default http://<host>:<port>.")
    allowed_hosts: list[str] = Field(["localhost", "127.0.0.1", "[::1]"], description="Host headers that are answered.")
    proxy_addresses: list[str] = Field(["127.0.0.1"], description="Proxies whose X-Forwarded-For is believed.")
    session_hours: float = Field(24 * 14, gt=0)
    requests_per_s: float = Field(300, gt=0, description="Of one address; above it the answer is 429.")
    logins_per_minute: float = Field(30, gt=0, description="Of one address; above it the answer is 429.")
    vllm_hosts: list[str] = Field([], description="host or host:port that a spec's sampling.vllm.url may name.")
    unpinned_revisions: bool = Field(False, description="Whether a spec may name a branch or tag of the Hub.")

    lease_s: float = Field(30, gt=0, description="A run whose worker is silent for so long goes back to the queue.")
    heartbeat_s: float = Field(5, gt=0)
    sweep_s: float = Field(5, gt=0)
    ingest_s: float = Field(
        0.5,
        gt=0,
        description="Shortest pause between two readings of a run's events file. It is longer, up to 2 s or half a "
        "heartbeat, where reading a few steps would take more than a hundredth of the time; who is behind reads on.",
    )
    stop_grace_s: float = Field(120, gt=0, description="Time to finish a step and checkpoint before SIGKILL.")
    retry_limit: int = Field(
        5, ge=1, description="Retries without a new checkpoint before giving up; one after a crash counts double."
    )
    retry_backoff_s: float = Field(2, ge=0, description="Wait before the first retry; doubles each time.")
    min_free_bytes: int = Field(
        1 << 30, ge=0, description="With less free on the disk of the home no run is accepted or started."
    )
    delete_grace_s: float = Field(
        7 * 24 * 3600, ge=0, description="How long a deleted run can be had back; then its rows and folder go."
    )
    audit_days: float = Field(365, gt=0, description="How long the audit log is kept; `gc` removes older entries.")
    max_import_bytes: int = Field(1 << 30, gt=0, description="Of the events of one imported run; above it 413.")
    canary_s: float = Field(
        15, gt=0, description="Pause between two test messages that a worker sends itself through the queue."
    )
    slots: int = Field(1, ge=1, description="Runs at once on one worker.")
    gpus: int | None = Field(None, ge=0, description="GPUs of this worker; default: those that are found.")
    cpu_threads: int | None = Field(None, ge=1, description="Threads of a training process whose spec does not say.")
    training_command: list[str] = Field(
        [sys.executable, "-m", "trapo_core"],
        description="The program of one attempt; RUN_DIR and --attempt N are appended.",
    )

    @model_validator(mode="after")
    def _fill_paths(self) -> Self:
        self.home = self.home.expanduser().absolute()
        self.data_dir = (self.data_dir or self.home / "data").expanduser().absolute()
        self.models_dir = (self.models_dir or self.home / "models").expanduser().absolute()
        self.database_url = self.database_url or f"sqlite:///{self.home / 'trapo.db'}"
        self.public_url = (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
        return self

    @model_validator(mode="after")
    def _no_bare_http_beyond_this_machine(self) -> Self:
        if not (is_loopback(self.host) or self.tls_terminated_by_proxy):
            raise ValueError(
                f"TRAPO_HOST={self.host} would send keys unencrypted over the network. Put a TLS proxy in front and "
                "set TRAPO_TLS_TERMINATED_BY_PROXY=true, or listen on 127.0.0.1."
            )
        return self

    @model_validator(mode="after")
    def _heartbeat_fits_the_lease(self) -> Self:
        if self.heartbeat_s > self.lease_s / 3:
            raise ValueError(
                f"TRAPO_HEARTBEAT_S={self.heartbeat_s} must be at most a third of TRAPO_LEASE_S={self.lease_s}: "
                "a worker gives up at two thirds."
            )
        return self

    @property
    def data_root(self) -> Path:
        assert self.data_dir is not None
        return self.data_dir

    @property
    def models_root(self) -> Path:
        assert self.models_dir is not None
        return self.models_dir

    def run_dir(self, run_id: str) -> Path:
        return self.home / "runs" / run_id


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
