"""Settings: documented, refused when dangerous."""

import ipaddress
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from runs.settings import Settings, is_loopback

ROOT = Path(__file__).parents[2]
KNOWN = {f"TRAPO_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_is_in_the_example_file_and_nothing_else_is():
    named = set(re.findall(r"^#? ?(TRAPO_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == KNOWN


def test_compose_sets_only_known_settings_and_interpolates_only_documented_variables():
    text = (ROOT / "docker-compose.yml").read_text()
    services = yaml.safe_load(text)["services"]
    for service in services.values():
        used = {name for name in service.get("environment") or {} if name.startswith("TRAPO_")}
        assert used <= KNOWN
    assert {"redis", "postgres", "migrate", "api", "worker"} <= services.keys()
    secrets = set(re.findall(r"\$\{([A-Z_]+)", text))
    documented = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert secrets <= documented


def test_each_setting_reaches_the_containers_or_is_decided_by_them():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    of_the_image = {f"TRAPO_{name}" for name in ("HOME", "MODELS_DIR", "RECIPES_DIR", "FRONTEND_DIR", "PORT")}
    of_the_api = {f"TRAPO_{name}" for name in ("HOST", "TLS_TERMINATED_BY_PROXY", "PUBLIC_URL", "ALLOWED_HOSTS")}
    for name, rest in (("api", of_the_image), ("worker", of_the_image | of_the_api)):
        assert {one for one in services[name]["environment"] if one.startswith("TRAPO_")} == KNOWN - rest


def test_in_compose_the_proxy_that_is_believed_is_dockers_end_of_the_network():
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    subnet = default_of(whole["networks"]["default"]["ipam"]["config"][0]["subnet"])
    believed = json.loads(default_of(whole["services"]["api"]["environment"]["TRAPO_PROXY_ADDRESSES"]))
    assert believed == [str(next(ipaddress.ip_network(subnet).hosts()))]


def default_of(interpolated):
    return re.fullmatch(r"\$\{[A-Z_]+:-(.*)\}", interpolated)[1]


def test_a_host_that_others_can_reach_needs_tls_in_front(monkeypatch):
    monkeypatch.setenv("TRAPO_HOST", "0.0.0.0")
    with pytest.raises(ValidationError, match="TRAPO_TLS_TERMINATED_BY_PROXY"):
        Settings(_env_file=None)
    monkeypatch.setenv("TRAPO_TLS_TERMINATED_BY_PROXY", "true")
    assert Settings(_env_file=None).host == "0.0.0.0"


def test_loopback_is_known_by_address():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "example.org", "")))


def test_a_heartbeat_that_the_lease_cannot_survive_is_refused():
    with pytest.raises(ValidationError, match="TRAPO_LEASE_S"):
        Settings(_env_file=None, lease_s=10, heartbeat_s=9)


def test_paths_default_to_the_home(tmp_path):
    settings = Settings(_env_file=None, home=tmp_path)
    assert settings.data_root == tmp_path / "data"
    assert settings.models_root == tmp_path / "models"
    assert settings.database_url == f"sqlite:///{tmp_path}/trapo.db"
    assert settings.run_dir("run_1") == tmp_path / "runs" / "run_1"


def test_docker_compose_accepts_the_file_and_wants_its_secrets(tmp_path):
    command = compose_command()
    if command is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is here")
    (tmp_path / "empty.env").touch()
    asked = [*command, "--env-file", str(tmp_path / "empty.env"), "-f", str(ROOT / "docker-compose.yml"), "config"]
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    secrets = {"POSTGRES_PASSWORD": "a", "REDIS_PASSWORD": "b", "DOMAIN": "trapo.example"}
    accepted = subprocess.run(asked, env=bare | secrets, capture_output=True, text=True, check=False)
    assert accepted.returncode == 0, accepted.stderr
    assert {"api", "worker", "redis", "postgres", "migrate"} <= set(yaml.safe_load(accepted.stdout)["services"])
    given = secrets | {"TRAPO_SLOTS": "3", "TRAPO_VLLM_HOSTS": '["gpu-1"]', "TRAPO_PROXY_ADDRESSES": '["10.0.0.9"]'}
    (tmp_path / "empty.env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    told = subprocess.run(asked, env=bare, capture_output=True, text=True, check=True).stdout
    for name in ("api", "worker"):
        environment = yaml.safe_load(told)["services"][name]["environment"]
        assert {one: environment[one] for one in given if one.startswith("TRAPO_")} == {
            one: value for one, value in given.items() if one.startswith("TRAPO_")
        }
        assert environment.get("TRAPO_LEASE_S") is None, "what is not set has the service's own default"
    (tmp_path / "empty.env").write_text("")
    refused = subprocess.run(asked, env=bare, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "set it in .env" in refused.stderr


def compose_command():
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
        ):
            return command
    return None
