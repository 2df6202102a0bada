"""API keys: made, listed, rotated and taken back by an admin. A key's secret is in one answer only."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.deps import Admin, Db, NeedsAdmin
from api.schemas.access import ApiKey, ApiKeyRequest, NewApiKey, RotateRequest
from api.schemas.base import Page
from runs.access import keys
from runs.db import reading, writing

router = APIRouter(prefix="/api-keys", tags=["keys"], dependencies=[NeedsAdmin])
KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]


@router.post("", status_code=201)
def make_api_key(body: ApiKeyRequest, db: Db, caller: Admin) -> NewApiKey:
    """A new key; this answer is the only one that shows it."""
    lasts_s = None if body.expires_in_days is None else body.expires_in_days * 86_400
    with writing(db) as session:
        key = keys.make_named_key(session, body.name, list(body.scopes), lasts_s, caller.principal)
        row = keys.get_key(session, keys.key_id_of(key))
        return NewApiKey(**ApiKey.model_validate(row).model_dump(), key=key)


@router.get("")
def list_api_keys(
    db: Db, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: Annotated[str | None, Query(max_length=40)] = None
) -> Page[ApiKey]:
    with reading(db) as session:
        rows = keys.list_keys(session, limit + 1, cursor)
    return Page.cut([ApiKey.model_validate(row) for row in rows], limit, "id")


@router.post("/{key_id}/rotate")
def rotate_api_key(key_id: KeyId, body: RotateRequest, db: Db) -> NewApiKey:
    """The key with a new secret. The old one works for `overlap_s` more; with 0 its sessions end too."""
    with writing(db) as session:
        key = keys.rotate_key(session, key_id, body.overlap_s)
        return NewApiKey(**ApiKey.model_validate(keys.get_key(session, key_id)).model_dump(), key=key)


@router.delete("/{key_id}", status_code=204)
def delete_api_key(key_id: KeyId, db: Db) -> None:
    """The key, its login links and its sessions end now."""
    with writing(db) as session:
        keys.delete_key(session, key_id)
