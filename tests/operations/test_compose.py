"""compose.yaml: nothing is reached past the proxy, nobody has more rights than they need."""

import re
from dataclasses import fields
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from config import BASE_DIR, Config

COMPOSE: dict[str, Any] = yaml.safe_load((BASE_DIR / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CADDYFILE = (BASE_DIR / "Caddyfile").read_text("utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_gives_up_the_capabilities_that_it_does_not_name(name: str) -> None:
    assert SERVICES[name]["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"proxy"}))
def test_only_the_proxy_listens_to_other_machines(name: str) -> None:
    ports = SERVICES[name].get("ports", [])

    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_proxy_leads_to_services_at_the_ports_that_they_listen_on() -> None:
    led = set(re.findall(r"reverse_proxy (\w+):(\d+)", CADDYFILE))

    assert led == {("web", "8000"), ("s3", "8333")}
    assert "./Caddyfile:/etc/caddy/Caddyfile:ro" in SERVICES["proxy"]["volumes"]


def test_the_proxy_bounds_connections_and_heads() -> None:
    assert CADDYFILE.count("max_conns_per_host") == CADDYFILE.count("reverse_proxy ")
    assert "read_header 10s" in CADDYFILE


def test_the_service_believes_the_one_proxy_and_names_its_address() -> None:
    environment = SERVICES["web"]["environment"]

    assert environment["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-1}"
    assert environment["PUBLIC_BASE_URL"].startswith("${PUBLIC_BASE_URL:-https://")
    assert environment["AWS_S3_PUBLIC_ENDPOINT_URL"].endswith(":8443}")


def test_what_is_left_behind_is_cleaned_up() -> None:
    assert "./files files cleanup" in SERVICES["cleanup"]["command"]
    assert SERVICES["cleanup"]["environment"] == {
        name: value
        for name, value in SERVICES["web"]["environment"].items()
        if name != "WEB_CONCURRENCY"
    }


def test_each_variable_of_the_service_is_one() -> None:
    known = {name for setting in fields(Config) for name in setting.metadata["names"]}

    assert set(SERVICES["web"]["environment"]) - known == set()


def test_each_volume_that_is_named_is_declared() -> None:
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }

    assert named == set(COMPOSE["volumes"])
