"""docs/OPERATIONS.md and its Chinese twin name only what exists: commands, verbs, addresses, alerts, rights of on-call.

Both manuals, and both READMEs, have the same sections in the same order, and the same commands in each of them.
"""

import json
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli import verbs
from bot.slack import parsing
from k8s import hold_document
from tests.edges import test_kubernetes_stand_in_kubectl as stand_in

ROOT = Path(__file__).resolve().parents[2]
MANUAL, ITS_TWIN = ROOT / "docs" / "OPERATIONS.md", ROOT / "docs" / "OPERATIONS.zh-CN.md"
MANUALS = (MANUAL, ITS_TWIN)
TWINS = (MANUALS, (ROOT / "README.md", ROOT / "README.zh-CN.md"))
ALERTS = {
    rule["alert"]
    for group in yaml.safe_load((ROOT / "deploy" / "monitoring" / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
APPLICATION = """
apiVersion: v1
kind: Namespace
metadata: {name: aibang-1111111111-bbdm}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: bbdm-api, namespace: aibang-1111111111-bbdm, annotations: {kept: "yes"}}
spec:
  rules:
    - host: api-name01.teamname.dev.aliyun.intracloud.cn.aibang
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: ferry-entry-api-name01, port: {number: 80}}}}
"""
kubectl = stand_in.kubectl  # the fixture
EVERY_MANUAL = pytest.mark.parametrize("manual", MANUALS, ids=lambda path: path.name)


def shipped() -> list[dict[str, Any]]:
    """Every object of the base."""
    paths = sorted((ROOT / "deploy" / "kubernetes" / "base").glob("*.yaml"))
    found = [one for path in paths for one in yaml.safe_load_all(path.read_text()) if one]
    return [one for one in found if one["kind"] != "Kustomization"]


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def sections(text: str) -> list[tuple[str, str]]:
    """Heading (with its #s) and what stands below it, in order."""
    parts = re.split(r"^(#{1,6} .+)$", comments_marked(text), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def comments_marked(text: str) -> str:
    """The # of a line within a block becomes ♯: it is no heading."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        inside ^= line.startswith("```")
        kept.append(line.replace("#", "♯") if inside else line)
    return "\n".join(kept)


def spoken(text: str) -> list[str]:
    """Commands within the sentences."""
    return re.findall(r"`((?:/migrate|@ferry|ferry|kubectl|crictl|make) [^`]+)`", without_blocks(text))


def lines(text: str) -> list[str]:
    """Every shell command: lines of blocks, and those within the sentences."""
    return [line for block in blocks(text) for line in block.splitlines() if line.strip()] + spoken(text)


def words_of(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def patches(manual: Path) -> list[tuple[str, list[str]]]:
    """Each kubectl patch with its section's heading."""
    return [
        (heading, words_of(line))
        for heading, below in sections(manual.read_text())
        for line in lines(below)
        if line.startswith("kubectl") and "patch" in words_of(line)
    ]


def _after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1] if option in words else ""


@EVERY_MANUAL
def test_every_slack_command_parses(manual: Path) -> None:
    typed = re.findall(r"`(/migrate[^`]*)`", manual.read_text())
    assert len(typed) > 40
    for one in typed:
        assert not isinstance(parsing.parse(one), parsing.Help), one


@EVERY_MANUAL
def test_every_verb_of_a_journey_is_in_the_manual(manual: Path) -> None:
    typed = {one.split()[1] for one in re.findall(r"`(/migrate [^`]*)`", manual.read_text())}
    on_cards = {"help", "approve", "confirm"}  # buttons; `ferry approve` stands there
    assert set(parsing.VERBS) - on_cards <= typed


@EVERY_MANUAL
def test_every_alert_has_a_runbook_and_no_other_has(manual: Path) -> None:
    found = [heading.lstrip("# ") for heading, _ in sections(manual.read_text()) if re.match(r"### Ferry", heading)]
    assert sorted(found) == sorted(ALERTS)


@EVERY_MANUAL
def test_a_runbook_says_what_it_means_what_happened_what_to_do_and_how_it_ends(manual: Path) -> None:
    for heading, below in sections(manual.read_text()):
        if heading.startswith("### Ferry"):
            assert len(re.findall(r"^\* \*\*", below, flags=re.MULTILINE)) >= 4, heading


@EVERY_MANUAL
def test_every_ferry_verb_exists_with_its_options(manual: Path) -> None:
    every = lines(manual.read_text())
    typed = [words_of(re.split(r" [|>] ", line)[0]) for line in every if line.startswith("ferry ")]
    typed += [words[words.index("--") + 1 :] for line in every if " -- ferry " in line for words in [words_of(line)]]
    assert len(typed) > 30
    for words in typed:
        assert words[1] in verbs.VERBS, words
        command, rest = verbs.loaded(words[1]), words[2:]
        if hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        known = {option for one in command.params for option in one.opts}
        assert {word for word in rest if word.startswith("--")} <= known, words


@EVERY_MANUAL
def test_every_address_of_the_api_exists(manual: Path) -> None:
    routes = "".join(path.read_text() for path in (ROOT / "bot" / "api").glob("routes*.py"))
    templates = {template.strip("/") for template in re.findall(r'@app\.(?:get|post)\("([^"]+)"\)', routes)}
    patterns = [re.compile(re.sub(r"\{\w+\}", "[^/]+", one)) for one in templates]
    called = [found.rstrip("/") for found in re.findall(r"FERRY_API/api/v1/([^\s\"?|]+)", "\n".join(lines(manual.read_text())))]
    assert len(called) >= 3
    assert [one for one in called if one != "openapi.json" and not any(pattern.fullmatch(one) for pattern in patterns)] == []


@EVERY_MANUAL
def test_every_body_and_patch_is_json(manual: Path) -> None:
    bodies = [_after(words_of(line), "-d") for line in lines(manual.read_text()) if " -d " in line]
    inline = [_after(words, "-p") for _, words in patches(manual)]
    given = [one for one in (*bodies, *inline) if one]
    assert len(given) >= 6
    for one in given:
        assert json.loads(one.replace('"$(date +%s)"', "1")), one


@EVERY_MANUAL
def test_what_on_call_may_patch_is_one_hold_and_nothing_else(manual: Path) -> None:
    """In the sections of the broken glass; elsewhere a cluster's operator works."""
    role = next(one for one in yaml.safe_load_all(stand_in.RBAC.read_text()) if one["kind"] == "Role")
    [rule] = role["rules"]
    names = rule["resourceNames"]
    [below] = [below for heading, below in sections(MANUAL.read_text()) if heading == "### The bot is down"]
    assert all("migration-holds" in line for line in lines(below) if "patch" in line)
    glass = [words for _, words in patches(manual) if "configmap" in words and _after(words, "configmap") in names]
    assert len(glass) >= 2
    assert "patch" in rule["verbs"]
    for words in glass:
        data: Mapping[str, str] = json.loads(_after(words, "-p").replace("$(date +%s)", "1"))["data"]
        assert [hold_document.hold_from(key, value) is not None for key, value in data.items()] == [True]
        assert _after(words, "--type") == "merge"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_the_lines_of_the_broken_glass_work_with_the_rights_of_on_call(kubectl: stand_in.Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=stand_in.HOLDS.replace('data: {kept: "1"}', ""))
    await kubectl("apply", "-f", str(stand_in.RBAC))
    kubectl.become(kubectl.server.service_account_token("migration-system", "ferry-on-call"))
    printed = [line for line in lines(MANUAL.read_text()) if "patch configmap migration-holds" in line]
    assert len(printed) >= 2
    for line in printed:
        assert await kubectl.type(line) == (0, "configmap/migration-holds patched"), line
    seen = next(line for line in lines(MANUAL.read_text()) if "get configmap migration-holds" in line)
    code, shown = await kubectl.type(seen)
    assert (code, {one.service for one in hold_document.holds_from(json.loads(shown))}) == (0, {"api-name01", "all"})


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_a_rotation_adds_a_public_key_and_takes_none_away(kubectl: stand_in.Kubectl, tmp_path: Path) -> None:
    """The printed lines, with what `ferry keys` prints."""
    await kubectl("apply", "-f", "-", stdin=stand_in.HOLDS)
    await kubectl("create", "configmap", "ferry-public-keys", "--from-literal", "before.pem=x")
    await kubectl("create", "secret", "generic", "ferry-signing-key", "--from-literal", "signing-key.pem=x")
    ferry = shutil.which("ferry", path=str(ROOT / ".venv" / "bin")) or "ferry"
    wanted = ("ferry keys >", "csplit", "--patch-file", "replace -f")
    printed = [line for start in wanted for line in lines(MANUAL.read_text()) if start in line]
    assert len(printed) == len(wanted)
    for line in printed:
        code, said = await kubectl.type(
            f"cd {shlex.quote(str(tmp_path))} && {line.replace('ferry keys', f'{shlex.quote(ferry)} keys')}"
        )
        assert code == 0, said
    _, shown = await kubectl("get", "configmap", "ferry-public-keys", "-o", "json")
    assert sorted(json.loads(shown)["data"])[-1:] == ["before.pem"]
    assert len(json.loads(shown)["data"]) == 2


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_the_forward_without_ferry_is_one_write_of_the_ingress(kubectl: stand_in.Kubectl) -> None:
    [printed] = [line for line in lines(MANUAL.read_text()) if "patch ingress" in line]
    await kubectl("apply", "-f", "-", stdin=APPLICATION)
    assert (await kubectl.type(printed))[0] == 0
    _, shown = await kubectl("-n", "aibang-1111111111-bbdm", "get", "ingress", "bbdm-api", "-o", "json")
    document = json.loads(shown)
    [path] = document["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "new-cluster-proxy", "port": {"number": 443}}
    marks = document["metadata"]["annotations"]
    prefix = "nginx.ingress.kubernetes.io/"
    assert (marks["kept"], marks[f"{prefix}backend-protocol"], marks[f"{prefix}proxy-ssl-verify"]) == ("yes", "HTTPS", "on")
    assert marks[f"{prefix}upstream-vhost"] == marks[f"{prefix}proxy-ssl-name"]


@EVERY_MANUAL
def test_an_uninstall_leaves_nothing_outside_the_namespace(manual: Path) -> None:
    deleted = {word for line in lines(manual.read_text()) if line.startswith("kubectl delete") for word in words_of(line)[3:]}
    outside = {one["metadata"]["name"] for one in shipped() if one["kind"] in ("ClusterRole", "ClusterRoleBinding")}
    assert outside
    assert outside <= deleted


@EVERY_MANUAL
def test_the_sizes_are_those_of_the_manifests(manual: Path) -> None:
    text = manual.read_text().replace("，", ", ")
    pods = [one["spec"]["template"]["spec"] for one in shipped() if one["kind"] in ("Deployment", "StatefulSet")]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len(containers) == 4
    for container in containers:
        for size in container["resources"].values():
            assert f"{size['cpu']} CPU, {size['memory'].replace('Mi', ' Mi')}" in text, container["name"]


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=lambda path: path.name)
def test_twins_have_the_same_sections_and_the_same_commands_in_each(english: Path, chinese: Path) -> None:
    ours, theirs = sections(english.read_text()), sections(chinese.read_text())
    assert [heading.split()[0] for heading, _ in ours] == [heading.split()[0] for heading, _ in theirs]
    for (heading, here), (_, there) in zip(ours, theirs, strict=True):
        assert _bare(blocks(here)) == _bare(blocks(there)), heading
        assert Counter(spoken(here)) == Counter(spoken(there)), heading


@pytest.mark.parametrize("page", [page for pair in TWINS for page in pair], ids=lambda path: path.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    anchors = {_anchor(heading.lstrip("# ")) for heading, _ in sections(text)}
    for where in re.findall(r"\]\(([^)]+)\)", without_blocks(text)):
        path, _, anchor = where.partition("#")
        assert not path or (page.parent / path).exists(), where
        assert path or anchor in anchors, where


@EVERY_MANUAL
def test_every_shell_block_is_a_shell_script(manual: Path) -> None:
    for block in blocks(manual.read_text()):
        checked = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


def _bare(found: list[str]) -> list[str]:
    """Without what is said beside the commands."""
    return [re.sub(r"\s*♯.*", "", block) for block in found]


def _anchor(heading: str) -> str:
    """As the page's address has it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
