"""What there is to choose from, and what may come of it: methods, recipes, models, data sets, workers, reasons."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Config, Db
from api.schemas.base import Page
from api.schemas.catalogue import DatasetInfo, MethodInfo, ModelInfo, RecipeInfo, SpecSchema, WorkerInfo
from api.schemas.operator import ReasonInfo, SystemState
from runs.db import reading
from runs.inputs import registry
from runs.inputs.recipes import read_recipes
from runs.life.system import read_system
from runs.life.workers import list_workers
from runs.states import REASONS
from trapo_core.methods import METHODS
from trapo_core.spec import EvalSpec, TrainSpec

router = APIRouter(tags=["catalogue"])

Limit = Annotated[int, Query(ge=1, le=registry.MOST)]
After = Annotated[str, Query(max_length=4096)]  # the name that the page before ended with


@router.get("/methods")
def get_methods() -> Page[MethodInfo]:
    return Page(data=[MethodInfo.model_validate(method) for method in METHODS.values()])


@router.get("/spec-schema")
def get_spec_schema() -> SpecSchema:
    """For forms and editors."""
    return SpecSchema(train=TrainSpec.model_json_schema(), eval=EvalSpec.model_json_schema())


@router.get("/recipes")
def get_recipes(config: Config) -> Page[RecipeInfo]:
    """Specs to start from; one with several specs is a comparison."""
    return Page(data=[RecipeInfo(name=name, specs=specs) for name, specs in read_recipes(config.recipes_dir).items()])


@router.get("/reasons")
def get_reasons() -> Page[ReasonInfo]:
    """The one table of why attempts end."""
    return Page(data=[ReasonInfo(reason=name, **vars(reason)) for name, reason in REASONS.items()])


@router.get("/models")
def get_models(db: Db, config: Config, limit: Limit = registry.MOST, cursor: After = "") -> Page[ModelInfo]:
    """Model folders and aliases of checkpoints, by name; what cannot be used says why."""
    with reading(db) as session:
        found = registry.models(session, config.models_root, limit + 1, cursor)
    return Page.cut([ModelInfo.model_validate(one) for one in found], limit, "name")


@router.get("/datasets")
def get_datasets(config: Config, limit: Limit = registry.MOST, cursor: After = "") -> Page[DatasetInfo]:
    """Files of problems, by name; what cannot be used says why."""
    found = registry.datasets(config.data_root, limit + 1, cursor)
    return Page.cut([DatasetInfo.model_validate(one) for one in found], limit, "name")


@router.get("/system")
def get_system(db: Db, config: Config) -> SystemState:
    """Workers, what they hold, what waits, and the disk."""
    with reading(db) as session:
        return SystemState.model_validate(read_system(session, config))


@router.get("/workers")
def get_workers(db: Db, config: Config) -> Page[WorkerInfo]:
    with reading(db) as session:
        return Page(data=[WorkerInfo.model_validate(worker) for worker in list_workers(session, config)])
