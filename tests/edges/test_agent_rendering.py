"""nginx's text is made once for the same sites, and always for the sites that were asked for."""

from dataclasses import replace

import pytest

from k8s import model, nginx
from k8s.agent import rendering

CONFIG = nginx.ProxyConfig("/run/ferry", "127.0.0.1:8080", "127.0.0.1:8081", (1, 27, 4), "/ca", "/ca/default.pem")


def site(name: str, *, timeout: float = 30.0) -> nginx.Site:
    exposure = model.Exposure(weight=0, old_host=f"{name}.old.example", new_host="a.new.example")
    service = model.Service(name, exposure, model.Backend("old.team.svc", 80), timeout=timeout)
    return nginx.Site(service, exposure, ("10.0.0.1:80",), ("10.1.0.1:443",))


async def test_equal_sites_are_rendered_once_and_any_other_value_anew() -> None:
    texts = rendering.Rendering()
    first = await texts.text_of(CONFIG, {"api": site("api")})
    assert first == nginx.render(CONFIG, [site("api")])
    assert await texts.text_of(CONFIG, {"api": site("api")}) is first
    slower = await texts.text_of(CONFIG, {"api": site("api", timeout=7.0)})
    assert slower == nginx.render(CONFIG, [site("api", timeout=7.0)]) != first
    elsewhere = replace(CONFIG, listen="127.0.0.1:8081")
    assert await texts.text_of(elsewhere, {"api": site("api", timeout=7.0)}) == nginx.render(
        elsewhere, [site("api", timeout=7.0)]
    )


async def test_sites_that_change_after_they_were_asked_for_are_not_taken_for_the_old_ones() -> None:
    texts, asked = rendering.Rendering(), {"api": site("api")}
    await texts.text_of(CONFIG, asked)
    asked["shop"] = site("shop")
    assert await texts.text_of(CONFIG, asked) == nginx.render(CONFIG, [site("api"), site("shop")])


async def test_what_cannot_be_rendered_is_said_each_time_and_leaves_the_last_text_alone() -> None:
    texts, twins = rendering.Rendering(), {"api": site("api"), "twin": site("api")}
    first = await texts.text_of(CONFIG, {"api": site("api")})
    for _ in range(2):
        with pytest.raises(model.ModelError):
            await texts.text_of(CONFIG, twins)
    assert await texts.text_of(CONFIG, {"api": site("api")}) is first
