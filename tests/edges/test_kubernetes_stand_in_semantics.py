"""The stand-in's core without HTTP: versions, the past, and ownership of fields."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.playground.kubernetes import kinds, ownership, patches, strategic
from deploy.playground.kubernetes.deletion import Options
from deploy.playground.kubernetes.failures import ApiFailure
from deploy.playground.kubernetes.journal import Asked, Journal
from deploy.playground.kubernetes.objects import Objects
from deploy.playground.kubernetes.store import Store

Json = dict[str, Any]
ASKED = Asked("tester", "tester")

values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=1), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.text("abc", min_size=1, max_size=1), values, max_size=3)
texts = st.dictionaries(st.sampled_from("pqrs"), st.sampled_from("123"), max_size=4)


def _objects(**options: int) -> Objects:
    objects = Objects(Journal(Store(**options)))
    objects.create(kinds.NAMESPACE, "", {"metadata": {"name": "n"}}, ASKED)
    return objects


def _config(**data: str) -> Json:
    return {"metadata": {"name": "a"}, "data": data}


def _rfc7386(target: object, patch: object) -> object:
    """The pseudo code of RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _rfc7386(result.get(name), value)
    return result


@given(documents, documents)
def test_a_merge_patch_is_the_one_of_the_rfc_and_touches_nothing(live: Json, patch: Json) -> None:
    before = repr((live, patch))
    assert patches.merge(live, patch) == _rfc7386(live, patch)
    assert repr((live, patch)) == before


@given(documents, documents)
def test_without_keyed_lists_a_strategic_patch_is_a_merge_patch(live: Json, patch: Json) -> None:
    before = repr((live, patch))
    assert strategic.merge(kinds.CONFIG_MAP, live, patch) == _rfc7386(live, patch)
    assert repr((live, patch)) == before


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), texts), min_size=1, max_size=6))
def test_after_any_applies_each_manager_owns_what_it_wants_and_nothing_else_stays(
    steps: list[tuple[str, dict[str, str]]],
) -> None:
    objects = _objects()
    wants: dict[str, dict[str, str]] = {}
    for manager, data in steps:
        for other, held in wants.items():
            if other != manager:
                wants[other] = {key: value for key, value in held.items() if data.get(key, value) == value}
        wants[manager] = data
        item, _ = objects.apply(kinds.CONFIG_MAP, "n", "a", _config(**data), Asked("tester", manager), force=True)
    assert item.get("data", {}) == {key: value for held in wants.values() for key, value in held.items()}
    owners = {
        manager.name: {path[1] for path in paths if path[0] == "f:data" and len(path) > 1}
        for manager, paths in ownership.read(item).items()
    }
    assert {name: keys for name, keys in owners.items() if keys} == {
        name: {f"f:{key}" for key in held} for name, held in wants.items() if held
    }


def test_versions_grow_over_all_kinds() -> None:
    objects = _objects()
    versions = [
        int(objects.create(kind, "n", {"metadata": {"name": "a"}}, ASKED)["metadata"]["resourceVersion"])
        for kind in (kinds.CONFIG_MAP, kinds.SECRET, kinds.SERVICE_ACCOUNT)
    ]
    assert versions == sorted(set(versions))
    assert objects.store.version == versions[-1]


def test_the_past_can_be_listed_until_it_is_forgotten() -> None:
    objects = _objects(window=3)
    first = objects.create(kinds.CONFIG_MAP, "n", _config(k="1"), ASKED)
    version = int(first["metadata"]["resourceVersion"])
    objects.replace(kinds.CONFIG_MAP, "n", "a", _config(k="2"), ASKED)
    objects.deletions.delete(kinds.CONFIG_MAP, objects.get(kinds.CONFIG_MAP, "n", "a"), Options(), ASKED)
    assert objects.store.at(kinds.CONFIG_MAP, "n", version) == [first]
    assert objects.store.all(kinds.CONFIG_MAP, "n") == []
    objects.create(kinds.CONFIG_MAP, "n", _config(), ASKED)
    objects.replace(kinds.CONFIG_MAP, "n", "a", _config(k="3"), ASKED)
    with pytest.raises(ApiFailure) as gone:
        objects.store.at(kinds.CONFIG_MAP, "n", version - 1)
    assert gone.value.code == 410


def test_stored_objects_are_never_changed_in_place() -> None:
    objects = _objects()
    first = objects.create(kinds.CONFIG_MAP, "n", _config(k="1"), ASKED)
    before = repr(first)
    objects.patch(kinds.CONFIG_MAP, "n", "a", lambda live: patches.merge(live, {"data": {"k": "2"}}), ASKED)
    assert repr(first) == before


def test_names_of_services_get_different_addresses() -> None:
    objects = _objects()
    made = [
        objects.create(kinds.SERVICE, "n", {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}, ASKED)["spec"][
            "clusterIP"
        ]
        for name in ("a", "b", "c")
    ]
    assert len(set(made)) == 3
