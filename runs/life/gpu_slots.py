"""Whole GPUs, held by rows: taken in the transaction that claims a run, given back in the one that ends its attempt.

The row's key is the GPU's own, so two workers of one host, or two containers that see one GPU, never share it.
"""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from runs.tables import GpuSlotRow


def needed(wish: int | None, gpus_here: int) -> int:
    """How many GPUs a run takes on a host with so many; without a wish one, if there is any."""
    return min(1, gpus_here) if wish is None else wish


def free(session: Session, host: str, gpu_ids: Sequence[str]) -> list[str]:
    keys = {gpu_id: slot_key(host, gpu_id) for gpu_id in gpu_ids}
    taken = set(session.scalars(select(GpuSlotRow.gpu).where(GpuSlotRow.gpu.in_(keys.values()))))
    return [gpu_id for gpu_id, key in keys.items() if key not in taken]


def take(session: Session, run_id: str, host: str, gpu_ids: Sequence[str]) -> None:
    session.add_all(GpuSlotRow(gpu=slot_key(host, gpu_id), run_id=run_id) for gpu_id in gpu_ids)
    session.flush()


def give_back(session: Session, run_id: str) -> None:
    session.execute(delete(GpuSlotRow).where(GpuSlotRow.run_id == run_id))


def slot_key(host: str, gpu_id: str) -> str:
    """A UUID names a GPU everywhere, an index only on its host."""
    return gpu_id if gpu_id.startswith(("GPU-", "MIG-")) else f"{host}/{gpu_id}"
