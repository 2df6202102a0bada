"""Several processes that train one model, and the world of one process, which has nobody to talk to.

Every rank rolls out its share of a step's problems and then gets the groups of all. What follows from them (which
groups are learned, every normaliser, the next data cursor) is therefore the same everywhere without another word, and
only the micro-batches are dealt out again, evenly by tokens. The groups of a step cost host memory on every rank:
8 million tokens are about 0.6 GB.

Weights, gradients and moments are sharded (FSDP2: the blocks one by one, and the rest as root), 16 bytes a parameter
over the ranks. Rollouts take different numbers of decode steps on each rank, so nothing may be gathered during them:
each rank samples from a whole copy, renewed after every step, of 2 bytes a parameter in a bfloat16 run (4 in float32).
For 7 billion parameters on 8 GPUs that is 14 GB of shards and 14 GB of copy on each. While it is loaded a model lies
whole on every GPU, twice and in float32: 56 GB for those.
"""

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers.modeling_layers import GradientCheckpointingLayer

from trapo_core.errors import TrapoError
from trapo_core.model import Policy
from trapo_core.reader import Reader

# Ranks go through an update side by side; a rank that dies is noticed at once by whoever started it, so this bounds
# what hangs without dying. Between updates one may wait for another's rollouts, or for a whole evaluation.
UPDATE_WAIT = timedelta(minutes=30)
LONGEST_WAIT = timedelta(hours=24)

Item = TypeVar("Item")
Result = TypeVar("Result")


class World:
    """One process: it owns everything. The other worlds have the same methods."""

    rank = 0
    size = 1
    local_rank = 0

    @property
    def first(self) -> bool:
        """Whether this is the rank that speaks and writes."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This rank's part of `items`: every `size`-th."""
        return items[self.rank :: self.size]

    def gather(self, value: Item) -> list[Item]:
        """What each rank has, by rank."""
        return [value]

    def total(self, value: float) -> float:
        """The sum over ranks."""
        return sum(self.gather(value))

    def any(self, value: bool) -> bool:
        return any(self.gather(value))

    def dealt(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[Result]]) -> list[Result]:
        """`work`, which gives one result an item, on each rank's share; all results in the order of `items`.

        A TrapoError on any rank is raised on all.
        """
        return list(work(items))

    def led(self, work: Callable[[], Result]) -> Result:
        """`work` done by the first rank alone, for all; a TrapoError is raised on all."""
        return work()

    def sampler(self, policy: Policy) -> Policy:
        """What the engine samples from; ask before `shard`."""
        return policy

    def shard(self, policy: Policy) -> None:
        """Spread the weights over the ranks, in place. The policy can then be read by its reader alone."""

    def renew(self, sampler: Policy, policy: Policy) -> None:
        """Give the sampler the policy's weights as they are now."""


ALONE = World()


class Ranks(World):
    """One of several processes, joined by torch.distributed."""

    def __init__(self, local_rank: int) -> None:
        self.rank, self.size, self.local_rank = dist.get_rank(), dist.get_world_size(), local_rank
        # Words travel by gloo in any case, so that a rank can wait for another without keeping its GPU busy.
        self._words = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)

    def gather(self, value: Item) -> list[Item]:
        values: list[Item] = [value] * self.size
        dist.all_gather_object(values, value, group=self._words)
        return values

    def dealt(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[Result]]) -> list[Result]:
        parts = [iter(part) for part in self._agreed(lambda: list(work(self.share(items))))]
        return [next(parts[place % self.size]) for place in range(len(items))]

    def led(self, work: Callable[[], Result]) -> Result:
        results = self._agreed(lambda: [work()] if self.first else [])
        return results[0][0]

    def _agreed(self, work: Callable[[], Result]) -> list[Result]:
        """The results of all ranks; or the first error of any, on all."""
        results: list[Result] = []
        errors: list[TrapoError] = []
        try:
            results.append(work())
        except TrapoError as error:
            errors.append(error)
        told = self.gather((results, errors))
        for one in (error for _, errors in told for error in errors):
            raise one
        return [result for results, _ in told for result in results]

    def sampler(self, policy: Policy) -> Policy:
        model = copy.deepcopy(policy.model).requires_grad_(False)
        for block in _blocks(model):
            block.to(policy.dtype)  # as the sharded blocks compute; what lies around them stays float32 there too
        return replace(policy, model=model, reader=Reader(model))

    def shard(self, policy: Policy) -> None:
        mesh = init_device_mesh(policy.device.type, (self.size,))
        # The blocks' inputs stay as they are: under autocast the residual stream is float32, as in one process.
        precision = MixedPrecisionPolicy(
            param_dtype=policy.dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
        for block in _blocks(policy.model):
            fully_shard(block, mesh=mesh, mp_policy=precision)
        # The root too is let go after its forward pass: what is read without gradient would else stay, and grow stale.
        fully_shard(policy.reader, mesh=mesh, reshard_after_forward=True)
        for module in policy.reader.modules():
            if isinstance(module, FSDPModule):
                # Sums, not means over ranks: every token has its weight in the whole batch already.
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)

    @torch.no_grad()
    def renew(self, sampler: Policy, policy: Policy) -> None:
        for copied, trained in zip(sampler.model.parameters(), policy.model.parameters(), strict=True):
            copied.copy_(whole(trained))


def _blocks(model: torch.nn.Module) -> list[torch.nn.Module]:
    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


@contextmanager
def joined(environment: Mapping[str, str] = os.environ) -> Iterator[World]:
    """The world that the environment of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) describes;
    without it, one process."""
    if int(environment.get("WORLD_SIZE", 1)) == 1:
        yield World()
        return
    local_rank = int(environment.get("LOCAL_RANK", environment["RANK"]))
    if torch.cuda.is_available() and local_rank < torch.cuda.device_count():
        torch.cuda.set_device(local_rank)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=UPDATE_WAIT)
    yield Ranks(local_rank)
    # Not after an error: the others may be in the middle of a word, and the process ends anyway.
    dist.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor gathered, on every rank; any other as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def sharded_like(parameter: Tensor, value: Tensor) -> Tensor:
    """The part of a whole `value` that belongs to this rank's part of `parameter`."""
    if not isinstance(parameter, DTensor):
        return value
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def clip_gradients(parameters: Sequence[Tensor], bound: float) -> float:
    """Clip the gradient, shards of all ranks together, to norm `bound`; its norm before."""
    return whole(torch.nn.utils.clip_grad_norm_(parameters, bound)).item()
