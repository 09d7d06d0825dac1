"""The rendered text as nginx's grammar sees it: nothing that came from a value is anything but one argument."""

import hashlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from k8s import model, nginx
from tests.edges import nginx_tree

CONFIG = nginx.ProxyConfig(
    run="/run/ferry",
    listen="127.0.0.1:8080",
    status_listen="127.0.0.1:8081",
    nginx_version=(1, 22, 1),
    ca_folder="/etc/ferry/ca",
    default_ca="/etc/ferry/ca/default.pem",
    scratch="/var/cache/nginx",
)


def site(name: str = "api", value: str = "always", cookie: str = "my-session", ca: str | None = None) -> nginx.Site:
    exposure = model.Exposure(
        weight=25,
        old_host=f"{name}.old.example",
        new_host=f"{name}.new.example",
        strategy=model.Strategy.HEADER,
        header=model.HeaderRule("X-Canary", (value,)),
        sticky=model.Sticky(model.StickyKind.COOKIE, cookie),
        tls=model.Tls(ca=ca),
    )
    service = model.Service(name=name, exposure=exposure, old_backend=model.Backend("api.team.svc", 80))
    return nginx.Site(service, exposure, ("10.0.0.1:80",), ("10.0.0.2:443",))


def test_one_service_gives_exactly_this_gate(tmp_path: Path) -> None:
    http = next(part[2] for part in nginx_tree.tree(tmp_path, nginx.render(CONFIG, [site()]).text) if part[0] == "http")
    server = [part[2] for part in http if part[0] == "server"][-1]
    assert ("server_name", ["api.old.example"], [], "") in server
    assert [part for part in server if part[0] == "if"] == [
        ("if", ["-f", "/run/ferry/allow/api/$ferry_slot"], [("set", ["$migration_weight", "new"], [], "")], ""),
    ]
    upstream = next(part[2] for part in http if part[:2] == ("upstream", ["new_cluster_backend_s0"]))
    assert [part[1] for part in upstream if part[0] == "server"] == [["10.0.0.2:443", "max_fails=0", "max_conns=100"]] * 3
    assert ("proxy_ssl_verify", ["on"], [], "") in http


def test_of_several_addresses_each_is_tried_in_turns_and_all_are_there_once_more_for_when_none_is_left(tmp_path: Path) -> None:
    two = replace(site(), new_addresses=("10.0.0.3:443", "10.0.0.2:443", "10.0.0.3:443"))
    http = next(part[2] for part in nginx_tree.tree(tmp_path, nginx.render(CONFIG, [two]).text) if part[0] == "http")
    upstream = next(part[2] for part in http if part[:2] == ("upstream", ["new_cluster_backend_s0"]))
    each = [["10.0.0.2:443"], ["10.0.0.3:443"]]
    assert [part[1] for part in upstream if part[0] == "server"] == [
        *([*one, "max_fails=5", "fail_timeout=10s", "max_conns=100"] for one in each * 2),
        *([*one, "max_fails=0", "max_conns=100", "backup"] for one in each * 2),
    ]
    assert complaint(tmp_path, [two]) == ""


@pytest.mark.parametrize("number", [10, 21, 22, 60, 200])
def test_nginx_has_room_for_as_many_addresses_as_dns_may_name(tmp_path: Path, number: int) -> None:
    addresses = tuple(f"10.0.0.{last}:443" for last in range(number))
    assert complaint(tmp_path, [replace(site(), new_addresses=addresses)]) == ""


@pytest.mark.parametrize("strategy", model.Strategy)
@pytest.mark.parametrize("override", [False, True])
def test_what_is_looked_for_is_the_bucket_itself_unless_a_rule_or_an_override_may_say_otherwise(
    strategy: model.Strategy, override: bool
) -> None:
    secret = "0123456789abcdef" * 4
    signed = hashlib.sha256(secret.encode()).hexdigest()
    user = model.UserRule(model.Sticky(model.StickyKind.COOKIE, "id"), ("first",))
    ruled = replace(site().exposure, strategy=strategy, cidrs=("10.0.0.0/8",), user=user, override_hash=signed)
    text = nginx.render(CONFIG, [replace(site(), exposure=ruled, override_secret=secret if override else None)]).text
    slots = {"weight": "bucket", "header": "header_slot", "ip": "ip_slot", "user": "user_slot"}
    expected = "override_slot" if override else slots[strategy]
    assert text.count(f'set $ferry_slot "$ferry_{expected}";') == 1


def test_the_weight_and_the_order_of_services_are_not_in_the_text() -> None:
    first, second = site("a"), site("b")
    other = nginx.Site(first.service, first.exposure.at(99), first.old_addresses, first.new_addresses)
    assert nginx.render(CONFIG, [first, second]) == nginx.render(CONFIG, [second, other])


def test_two_services_of_one_host_or_a_path_out_of_the_folder_are_refused() -> None:
    with pytest.raises(model.ModelError, match="more than once"):
        nginx.render(CONFIG, [site(), site()])
    with pytest.raises(model.ModelError, match="no service's name"):
        nginx.allow_link("/run/ferry", "../api")


def test_a_newer_nginx_keeps_old_workers_connections_and_an_older_one_accepts_the_text(tmp_path: Path) -> None:
    newer = nginx.ProxyConfig("/run/ferry", "127.0.0.1:8080", "127.0.0.1:8081", (1, 27, 4), "/ca", "/ca/default.pem")
    assert "keepalive_min_timeout 75s;" in nginx.render(newer, []).text
    assert "keepalive_min_timeout" not in nginx.render(CONFIG, []).text
    assert complaint(tmp_path, [site()]) == ""


def test_nginx_accepts_a_configuration_without_any_service(tmp_path: Path) -> None:
    assert complaint(tmp_path, []) == ""


def test_bodies_of_requests_wait_in_the_scratch_folder_and_not_where_links_and_holds_are(tmp_path: Path) -> None:
    http = next(part[2] for part in nginx_tree.tree(tmp_path, nginx.render(CONFIG, [site()]).text) if part[0] == "http")
    places = {part[1][0] for part in http if part[0].endswith("_temp_path")}
    assert len(places) == 5
    assert {place.rpartition("/")[0] for place in places} == {"/var/cache/nginx"}


def complaint(folder: Path, sites: list[nginx.Site]) -> str:
    """Of the nginx on this machine, about the configuration of these sites; empty: it accepts it."""
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program is not None
    local = nginx.ProxyConfig(
        str(folder), "127.0.0.1:8080", "127.0.0.1:8081", (1, 22, 1), "/ca", bundle, scratch=str(folder / "scratch")
    )
    (folder / "scratch").mkdir()
    (folder / "nginx.conf").write_text(nginx.render(local, sites).text)
    command = [program, "-t", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    return "" if checked.returncode == 0 else checked.stderr


def test_trust_of_its_own_is_in_the_text_only_where_it_differs_from_that_of_all() -> None:
    own, same = (replace(site(ca="own.pem"), ca_file=path) for path in ("/run/ferry/ca/0123.pem", CONFIG.default_ca))
    trust = 'proxy_ssl_trusted_certificate "{}";'
    assert trust.format("/run/ferry/ca/0123.pem") in nginx.render(CONFIG, [own]).text
    assert nginx.render(CONFIG, [same]).text.count("proxy_ssl_trusted_certificate") == 1
    assert trust.format("/etc/ferry/ca/own.pem") in nginx.render(CONFIG, [site(ca="own.pem")]).text
