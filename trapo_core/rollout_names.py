"""How the file of a step's rollouts is called; known without pyarrow too."""


def file_name(step: int) -> str:
    """In `RUN_DIR/rollouts`."""
    return f"step-{step:06d}.parquet"
