"""What there is to choose from: methods, recipes, workers."""

from fastapi import APIRouter

from api.deps import Config, Db
from api.schemas import MethodInfo, Page, RecipeInfo, WorkerInfo
from runs.db import reading
from runs.recipes import read_recipes
from runs.workers import list_workers
from trapo_core.methods import METHODS

router = APIRouter(tags=["catalogue"])


@router.get("/methods")
def get_methods() -> Page[MethodInfo]:
    return Page(data=[MethodInfo.model_validate(method) for method in METHODS.values()])


@router.get("/recipes")
def get_recipes(config: Config) -> Page[RecipeInfo]:
    """Specs to start from; one with several specs is a comparison."""
    return Page(data=[RecipeInfo(name=name, specs=specs) for name, specs in read_recipes(config.recipes_dir).items()])


@router.get("/workers")
def get_workers(db: Db, config: Config) -> Page[WorkerInfo]:
    with reading(db) as session:
        return Page(data=[WorkerInfo.model_validate(worker) for worker in list_workers(session, config)])
