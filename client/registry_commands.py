"""`trapo models`, `trapo datasets`: what a spec can name on this service."""

from client import service_tables
from client.api import Client
from client.options import Json, Key, Url, results_console
from client.printing import print_json


def models(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """List the model folders and aliases that a spec may name, and what is wrong with the others."""
    with Client.from_home(url, api_key) as client:
        found = client.list_models()
    if json:
        return print_json(found)
    nothing = "None. An operator puts model folders into the service's models folder (TRAPO_MODELS_DIR)."
    results_console().print(service_tables.models(found) if found else nothing)


def datasets(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """List the files of problems that a spec may name, and what is wrong with the others."""
    with Client.from_home(url, api_key) as client:
        found = client.list_datasets()
    if json:
        return print_json(found)
    nothing = "None. An operator puts .jsonl or .parquet files into the service's data folder (TRAPO_DATA_DIR)."
    results_console().print(service_tables.datasets(found) if found else nothing)
