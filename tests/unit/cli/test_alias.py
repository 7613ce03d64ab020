import re

import pytest

from uml_core.errors import BadRequestError, ConflictError, GatewayRunningError, ModelNotFoundError, NotFoundError
from uml_core.server.gateway import hold


def test_a_name_is_given_used_and_taken_away(stores):
    assert stores.uml("alias", "m", "mine-q4").stderr == "'m' is 'mine-Q4_0' from now on\n"
    assert stores.uml("alias").stdout.splitlines()[1].split() == ["m", "mine-Q4_0"]
    assert stores.json("alias", "--list") == [{"alias": "m", "model": "mine-Q4_0", "source": "user"}]
    assert re.search(r"mine-Q4_0 .* m$", stores.uml("list").stdout, re.MULTILINE)
    assert stores.json("show", "m")["id"] == "mine-Q4_0"
    assert stores.uml("alias", "--rm", "m").stderr == "'m' means no model any more\n"
    assert "`uml alias NAME MODEL`" in stores.uml("alias").stderr
    with pytest.raises(NotFoundError, match="no alias 'm'"):
        stores.uml("alias", "--rm", "m")


def test_those_of_the_settings_are_listed_and_stay(stores):
    (stores.home / "uml.toml").write_text('[models."mine-Q4_0"]\nalias = "own"\n')
    assert stores.uml("alias").stdout.splitlines()[1].split() == ["own", "mine-Q4_0", "uml.toml"]
    for order in (("--rm", "own"), ("own", "tiny:1b")):
        with pytest.raises(ConflictError, match=r"uml\.toml"):
            stores.uml("alias", *order)


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (("mine-Q4_0", "tiny:1b"), ConflictError),
        (("x", "nobody-knows"), ModelNotFoundError),
        ((" ", "tiny:1b"), BadRequestError),
        (("x\x07", "tiny:1b"), BadRequestError),
        (("only-a-name",), BadRequestError),
        (("x", "tiny:1b", "--list"), BadRequestError),
        (("x", "tiny:1b", "--rm", "y"), BadRequestError),
    ],
)
def test_what_is_no_order_changes_nothing(stores, order, error):
    with pytest.raises(error):
        stores.uml("alias", *order)
    assert stores.json("alias") == []


def test_a_pin_is_kept_and_comes_first(stores):
    assert stores.uml("pin", "tiny").stderr == "'tiny:1b' is pinned\n"
    assert re.match(r"tiny:1b .* pinned", stores.uml("list").stdout.splitlines()[1])
    assert stores.json("pin", "--off", "tiny") == {"model": "tiny:1b", "pinned": False}
    assert "pinned" not in stores.uml("list").stdout


def test_beside_another_uml_nothing_is_changed_but_all_is_shown(stores):
    with hold(stores.home / "data" / "run"):
        for order in (("alias", "x", "tiny"), ("alias", "--rm", "x"), ("pin", "tiny"), ("rm", "tiny"), ("scan",)):
            with pytest.raises(GatewayRunningError, match="pid "):
                stores.uml(*order)
        assert len(stores.json("list")) == 4
        assert stores.json("alias") == []
        assert stores.json("show", "tiny")["id"] == "tiny:1b"
        assert "data" in stores.json("recommend")
    assert not (stores.home / "data" / "journal").exists()
