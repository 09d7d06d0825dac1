"""CA files as nginx and the probes get them: copies by content, checked, kept while somebody uses them."""

import ssl
from pathlib import Path

import pytest

from k8s.agent import trust_files
from tests.integration import one_nginx


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder with two different authorities, one.pem and default.pem."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name in ("one", "default"):
        one_nginx.certificate(folder, name)
    return folder


@pytest.fixture
def trust(tmp_path: Path, given: Path) -> trust_files.TrustFiles:
    return begun(tmp_path, given)


def begun(folder: Path, given: Path) -> trust_files.TrustFiles:
    return trust_files.TrustFiles(folder / "run", given=given, default_given=given / "default.pem")


def taken(trust: trust_files.TrustFiles, name: str | None = "one.pem") -> Path:
    copy = trust.copy_of(name)
    assert copy is not None
    return Path(copy)


def test_a_file_that_changes_is_another_copy_and_the_links_lead_to_it(
    trust: trust_files.TrustFiles, given: Path, tmp_path: Path
) -> None:
    trust.look(["one.pem"])
    first = taken(trust)
    assert first.read_bytes() == (given / "one.pem").read_bytes() == (trust.named / "one.pem").read_bytes()
    assert first.parent == tmp_path / "run" / "ca"
    assert taken(trust, None).read_bytes() == (given / "default.pem").read_bytes() == trust.default.read_bytes()
    trust.look(["one.pem"])
    assert taken(trust) == first
    one_nginx.certificate(given, "one")
    assert taken(trust) == first, "what is in force changes at a look only"
    trust.look(["one.pem"])
    assert taken(trust) != first
    assert (trust.named / "one.pem").read_bytes() == (given / "one.pem").read_bytes()
    assert trust.trouble == []


def test_one_content_is_one_copy_under_whatever_names(trust: trust_files.TrustFiles, given: Path) -> None:
    (given / "same.pem").write_bytes((given / "default.pem").read_bytes())
    assert trust.copy_of("same.pem") == trust.copy_of(None) != trust.copy_of("one.pem")


def test_a_file_that_vanishes_stays_in_force_also_for_an_agent_that_begins_anew(
    trust: trust_files.TrustFiles, given: Path, tmp_path: Path
) -> None:
    trust.look(["one.pem"])
    before, bundle = taken(trust), taken(trust, None)
    for name in ("one.pem", "default.pem"):
        (given / name).unlink()
    anew = begun(tmp_path, given)
    anew.look(["one.pem"])
    assert (taken(anew), taken(anew, None)) == (before, bundle)
    assert [f"{name} cannot be read" in said for name, said in zip(("default.pem", "one.pem"), anew.trouble, strict=True)] == [
        True
    ] * 2
    assert all("stays in force" in said for said in anew.trouble)


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_holds_no_certificates_replaces_nothing(trust: trust_files.TrustFiles, given: Path, content: bytes) -> None:
    (given / "bad.pem").write_bytes(content)
    trust.look(["one.pem", "bad.pem"])
    assert trust.copy_of("bad.pem") is None
    [said] = trust.trouble
    assert "bad.pem holds no certificate" in said
    before = taken(trust)
    (given / "one.pem").write_bytes(content)
    (given / "bad.pem").unlink()
    trust.look(["one.pem"])
    assert taken(trust) == before
    assert "one.pem holds no certificate" in trust.trouble[0]
    assert "what it held last stays in force" in trust.trouble[0]
    assert [one.name for one in before.parent.iterdir() if one.suffix == ".new"] == []


def test_a_private_key_and_a_file_too_large_are_no_authorities(
    trust: trust_files.TrustFiles, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trust.copy_of("one.key") is None
    monkeypatch.setattr(trust_files, "LARGEST", 100)
    assert trust.copy_of("one.pem") is None
    trust.look(["one.pem"])
    assert "has more than 100 bytes" in trust.trouble[-1]


def test_a_copy_goes_when_neither_a_name_nor_nginx_needs_it_any_more(trust: trust_files.TrustFiles, given: Path) -> None:
    trust.look(["one.pem"])
    first, bundle = taken(trust), taken(trust, None)
    one_nginx.certificate(given, "one")
    trust.look(["one.pem"])
    second = taken(trust)
    trust.forget_others(["one.pem"], served={str(first)})
    assert all(copy.exists() for copy in (first, second, bundle)), "nginx was not brought to the second one"
    trust.forget_others(["one.pem"], served={str(second)})
    assert not first.exists()
    trust.forget_others([], served={str(second)})
    assert second.exists()
    assert not (trust.named / "one.pem").exists()
    trust.forget_others([], served=set())
    assert not second.exists()
    assert bundle.exists()
    trust.look(["one.pem"])
    assert taken(trust) == second, "it is asked for again"


def test_a_thousand_files_that_are_missing_are_a_few_sentences(trust: trust_files.TrustFiles) -> None:
    trust.look([f"n{number}.pem" for number in range(1000)])
    assert len(trust.trouble) == trust_files.SENTENCES + 1
    assert trust.trouble[-1].startswith("992 more CA files")


def test_what_is_copied_is_trusted(trust: trust_files.TrustFiles) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=trust.copy_of("one.pem"))
    [authority] = context.get_ca_certs()
    assert authority["subject"] == ((("commonName", "one"),),)
