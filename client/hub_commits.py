"""The commit that a branch or tag of the Hub stands for now, asked of the Hub by its own library: its settings hold
(HF_TOKEN or `hf auth login`, HF_ENDPOINT, HF_HUB_OFFLINE)."""

from collections.abc import Iterable
from dataclasses import dataclass

from client.errors import ClientError
from trapo_core.spec_sources import COMMIT, HubSource

TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Found:
    """`gated`: its owner hands the files to those alone who accepted the terms."""

    commit: str
    gated: bool


def resolve(sources: Iterable[HubSource]) -> dict[HubSource, Found]:
    """Each is asked for once, wherever it stands. ClientError says which cannot be had, and what helps."""
    asked: dict[tuple[str, str, str], Found] = {}
    found: dict[HubSource, Found] = {}
    for source in sources:
        key = source.kind, source.id, source.revision
        asked[key] = asked.get(key) or _ask(source)
        found[source] = asked[key]
    return found


def _ask(source: HubSource) -> Found:
    try:
        from huggingface_hub import HfApi, errors  # noqa: PLC0415 - needed by those who pin only
    except ImportError as error:
        raise ClientError("The Hub is asked by the package huggingface_hub.", "pip install huggingface_hub") from error
    what = f"{source.pointer}: {source.kind} {source.id}"
    terms = f"Accept its terms at {source.page}, and set HF_TOKEN or run `hf auth login`."
    try:
        info = HfApi().repo_info(source.id, revision=source.revision, repo_type=source.kind, timeout=TIMEOUT_S)
    except errors.GatedRepoError as error:
        raise ClientError(f"{what} is gated, and this token may not see it.", terms) from error
    except errors.RepositoryNotFoundError as error:
        hint = "Check the name; a private one needs HF_TOKEN or `hf auth login`, and a token that may read it."
        raise ClientError(f"{what} is not on the Hub, or not for you to see.", hint) from error
    except errors.RevisionNotFoundError as error:
        hint = f"Its branches and tags are at {source.page}/tree/main."
        raise ClientError(f"{what} has no branch, tag or commit {source.revision!r}.", hint) from error
    except errors.OfflineModeIsEnabled as error:
        raise ClientError("The Hub is switched off by HF_HUB_OFFLINE.", "Unset it.") from error
    except errors.HfHubHTTPError as error:
        raise ClientError(f"{what}: the Hub answers {error.response.status_code}.", "Try again later.") from error
    except (errors.HTTPError, OSError) as error:  # of whichever HTTP library the Hub's own is built on
        hint = "Check the network and HF_ENDPOINT; or write the commit into the spec by hand."
        raise ClientError(f"{what}: the Hub does not answer ({error}).", hint) from error
    if not COMMIT.fullmatch(str(info.sha)):
        raise ClientError(f"{what}: the Hub names no commit.", "Check HF_ENDPOINT.")
    return Found(str(info.sha), bool(getattr(info, "gated", False)))
