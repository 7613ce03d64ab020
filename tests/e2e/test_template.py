"""The template, installed from its folder as a third party's package is: found, listed, and it answers."""

import json

import httpx
import pytest


@pytest.fixture
def with_template(gateway, tmp_path):
    del gateway.environment["UML_DISABLED_PLUGINS"]
    gateway.environment["UML_MODELS_DIR"] = str(tmp_path / "empty")
    return gateway


def test_it_is_listed(with_template):
    plugins = {card["name"]: card for card in json.loads(with_template.uml("plugins", "--json").stdout)}
    assert plugins["template"]["status"] == "loaded"
    assert plugins["template"]["distribution"] == "uml-template 0.1.0"
    models = json.loads(with_template.uml("list", "--json").stdout)
    assert [model["id"] for model in models] == ["parrot"]


def test_it_answers_without_a_gateway(with_template):
    done = with_template.uml("run", "parrot", "The sea is", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 2


def test_it_answers_through_the_gateway(with_template):
    with_template.start()
    body = {"model": "parrot", "messages": [{"role": "user", "content": "The sea is"}], "seed": 1}
    answer = httpx.post(f"{with_template.url}/v1/chat/completions", json=body, timeout=60).json()
    assert answer["choices"][0]["message"]["content"]
    assert with_template.active()["backend"] == "template"
