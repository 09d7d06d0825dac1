"""Who may do what: tokens, roles and bindings, and the reviews that answer for them."""

from typing import Any

from tests.contracts.kubernetes_cluster import APPLY, MERGE, Cluster

Json = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


async def _account(cluster: Cluster, *rules: Json, name: str = "bot") -> str:
    """A service account that may do what the rules say; returns its token."""
    made = await cluster.create("serviceaccounts", {"metadata": {"name": name}})
    assert made.code == 201, made.body
    await cluster.create("roles", {"metadata": {"name": name}, "rules": list(rules)}, group=RBAC)
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}],
    }
    assert (await cluster.create("rolebindings", binding, group=RBAC)).code == 201
    issued = await cluster.call("POST", cluster.path("serviceaccounts", name) + "/token", {"spec": {"expirationSeconds": 600}})
    assert issued.code == 201, issued.body
    return str(issued.body["status"]["token"])


def _rule(*verbs: str, names: tuple[str, ...] = (), resource: str = "configmaps", group: str = "") -> Json:
    rule: Json = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {**rule, "resourceNames": list(names)} if names else rule


async def test_a_wrong_token_is_unauthorized(cluster: Cluster) -> None:
    refused = await cluster.call("GET", cluster.path("configmaps"), token="wrong")
    assert (refused.code, refused.body["reason"], refused.body["message"]) == (401, "Unauthorized", "Unauthorized")


async def test_no_token_is_unauthorized(cluster: Cluster) -> None:
    cluster.differs("no anonymous user")
    cluster.headers = {}
    assert (await cluster.call("GET", cluster.path("configmaps"))).code == 401
    assert (await cluster.call("GET", "/readyz")).code == 200


async def test_an_account_may_do_what_its_role_says_and_no_more(cluster: Cluster) -> None:
    token = await _account(cluster, _rule("get", "create"))
    body = {"metadata": {"name": "a"}, "data": {"k": "1"}}
    assert (await cluster.call("POST", cluster.path("configmaps"), body, token=token)).code == 201
    path = cluster.path("configmaps", "a")
    assert (await cluster.call("GET", path, token=token)).code == 200
    refused = await cluster.call("PATCH", path, {"data": {"k": "2"}}, MERGE, token)
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        f'configmaps "a" is forbidden: User "system:serviceaccount:{cluster.namespace}:bot" cannot patch resource "configmaps" '
        f'in API group "" in the namespace "{cluster.namespace}"'
    )
    everywhere = await cluster.call("GET", "/api/v1/configmaps", token=token)
    assert everywhere.body["message"] == (
        f'configmaps is forbidden: User "system:serviceaccount:{cluster.namespace}:bot" cannot list resource "configmaps" '
        'in API group "" at the cluster scope'
    )
    assert (await cluster.call("GET", "/api/v1/namespaces/default/configmaps/x", token=token)).code == 403


async def test_a_rule_for_one_name_covers_nothing_else(cluster: Cluster) -> None:
    await cluster.config_map("holds")
    await cluster.config_map("other")
    token = await _account(cluster, _rule("get", "list", "watch", "patch", "create", names=("holds",)))
    change = {"data": {"hold.all.x": "by hand"}}
    assert (await cluster.call("PATCH", cluster.path("configmaps", "holds"), change, MERGE, token)).code == 200
    assert (await cluster.call("PATCH", cluster.path("configmaps", "other"), change, MERGE, token)).code == 403
    assert (await cluster.call("GET", cluster.path("configmaps"), token=token)).code == 403
    named = await cluster.call("GET", cluster.path("configmaps"), token=token, fieldSelector="metadata.name=holds")
    assert [item["metadata"]["name"] for item in named.body["items"]] == ["holds"]
    assert (await cluster.call("POST", cluster.path("configmaps"), {"metadata": {"name": "holds"}}, token=token)).code == 403


async def test_applying_a_missing_object_needs_the_right_to_create(cluster: Cluster) -> None:
    token = await _account(cluster, _rule("get", "patch"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}
    refused = await cluster.call("PATCH", cluster.path("configmaps", "new"), body, APPLY, token, fieldManager="bot")
    assert refused.code == 403
    await cluster.config_map("new")
    assert (await cluster.call("PATCH", cluster.path("configmaps", "new"), body, APPLY, token, fieldManager="bot")).code == 200


async def test_subresources_are_rights_of_their_own(cluster: Cluster) -> None:
    token = await _account(cluster, _rule("get", "patch", resource="deployments", group="apps"))
    refused = await cluster.call(
        "PATCH", cluster.path("deployments", "d", group="apps") + "/scale", {"spec": {"replicas": 1}}, MERGE, token
    )
    assert (refused.code, 'resource "deployments/scale"' in refused.body["message"]) == (403, True)


async def test_a_taken_away_role_takes_the_right_away(cluster: Cluster) -> None:
    token = await _account(cluster, _rule("list"))
    assert (await cluster.call("GET", cluster.path("configmaps"), token=token)).code == 200
    await cluster.call("DELETE", cluster.path("rolebindings", "bot", group=RBAC))
    assert (await cluster.call("GET", cluster.path("configmaps"), token=token)).code == 403


async def test_an_account_can_ask_what_it_may_do(cluster: Cluster) -> None:
    token = await _account(cluster, _rule("patch", names=("holds",)))
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    async def may(verb: str, name: str = "") -> bool:
        asked = {"verb": verb, "resource": "configmaps", "namespace": cluster.namespace, "name": name}
        answer = await cluster.call("POST", path, {"spec": {"resourceAttributes": asked}}, token=token)
        assert answer.code == 201, answer.body
        return bool(answer.body["status"]["allowed"])

    assert await may("patch", "holds")
    assert not await may("patch", "other")
    assert not await may("delete", "holds")


async def test_tokens_die_with_their_account(cluster: Cluster) -> None:
    token = await _account(cluster, _rule("list"))
    assert (await cluster.call("GET", cluster.path("configmaps"), token=token)).code == 200
    await cluster.call("DELETE", cluster.path("serviceaccounts", "bot"))
    if cluster.stand_in is not None:  # a real server may remember a token for some seconds
        assert (await cluster.call("GET", cluster.path("configmaps"), token=token)).code == 401


async def test_tokens_are_issued_for_ten_minutes_at_least_and_only_for_accounts(cluster: Cluster) -> None:
    missing = await cluster.call("POST", cluster.path("serviceaccounts", "none") + "/token", {"spec": {}})
    assert missing.code == 404
    await cluster.create("serviceaccounts", {"metadata": {"name": "bot"}})
    short = await cluster.call("POST", cluster.path("serviceaccounts", "bot") + "/token", {"spec": {"expirationSeconds": 60}})
    assert short.code == 422


async def test_a_pods_token_is_there_before_the_account(cluster: Cluster) -> None:
    cluster.differs("tokens without accounts")
    assert cluster.stand_in is not None
    token = cluster.stand_in.service_account_token(cluster.namespace, "later")
    assert token == cluster.stand_in.service_account_token(cluster.namespace, "later")
    assert (await cluster.call("GET", cluster.path("configmaps"), token=token)).code == 403
    newer = cluster.stand_in.rotate_token(cluster.namespace, "later")
    assert (await cluster.call("GET", cluster.path("configmaps"), token=token)).code == 401
    assert (await cluster.call("GET", cluster.path("configmaps"), token=newer)).code == 403
