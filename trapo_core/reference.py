"""The reference policy of a KL term: the weights with which a stage began, frozen."""

from pathlib import Path

from trapo_core.checkpoint import TrainerState, snapshot
from trapo_core.errors import CheckpointError
from trapo_core.lora import base_of, is_adapted
from trapo_core.model import Policy, load_policy, publish
from trapo_core.parallel import World
from trapo_core.stage import Stage

FOLDER = "reference"


def load_reference(run_dir: Path, stage: Stage, state: TrainerState, policy: Policy, world: World) -> Policy | None:
    """None if the stage has no KL term. Saved in the run's folder when the stage begins, so that a resumed run has the
    same; a first stage that trains adapters has its base still. Sharded as the policy is.

    Raises CheckpointError if it is gone.
    """
    if not stage.policy.kl:
        return None
    if stage.first_step == 0 and is_adapted(policy.model):
        return base_of(policy)
    folder = run_dir / FOLDER / stage.name
    if not world.led(folder.exists):
        if state.step > stage.first_step:
            raise CheckpointError(f"{folder}, the reference of the KL term, is gone.", "Start a new run.")
        taken = snapshot(policy, {}, state, keep=world.first)
        world.led(lambda: publish(folder, policy.model, policy.tokenizer, taken.weights))
    reference = load_policy(folder, device=policy.device, dtype=policy.dtype)
    reference.model.requires_grad_(False)
    world.shard(reference)
    return reference
