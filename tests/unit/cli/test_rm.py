import re

import pytest

from uml_core.cli.owners import check_own
from uml_core.cli.rm import told
from uml_core.errors import BadRequestError, ConflictError, ModelNotFoundError, PermissionDeniedError


def test_a_model_of_one_s_own_is_removed(stores):
    path = stores.models / "mine-Q4_0.gguf"
    with pytest.raises(BadRequestError, match=f"'mine-Q4_0' .*{path}.*--yes"):
        stores.uml("rm", "mine-Q4_0")  # there is nobody to ask
    assert path.exists()
    assert re.fullmatch(r"removed 'mine-Q4_0': \d+(\.\d)? kB freed\n", stores.uml("rm", "mine-Q4_0", "--yes").stderr)
    assert not path.exists()
    assert len(stores.json("list")) == 3


def test_it_is_removed_by_its_alias_but_by_no_part_of_its_name(stores):
    stores.uml("alias", "m", "mine-Q4_0")
    with pytest.raises(ModelNotFoundError, match="did you mean 'mine-Q4_0'"):
        stores.uml("rm", "mine", "--yes")
    assert stores.json("rm", "m", "--yes")["removed"] == ["mine-Q4_0.gguf"]


def test_a_pinned_model_stays(stores):
    stores.uml("pin", "mine-Q4_0")
    with pytest.raises(ConflictError, match="`uml pin --off mine-Q4_0`"):
        stores.uml("rm", "mine-Q4_0", "--yes")
    assert (stores.models / "mine-Q4_0.gguf").exists()


@pytest.mark.parametrize(
    ("model", "way"),
    [("tiny:1b", "Ollama.*`ollama rm tiny:1b`"), ("org/Llama-GGUF:Q8_0", "`hf cache rm model/org/Llama-GGUF`")],
)
def test_models_of_other_programs_stay(stores, model, way):
    with pytest.raises(PermissionDeniedError, match=way):
        stores.uml("rm", model, "--yes")
    assert len(stores.json("list")) == 4


def test_a_store_that_nobody_has_heard_of_is_named():
    place = {"store": "attic", "id": "x", "path": "/a/x.gguf", "own": False}
    with pytest.raises(PermissionDeniedError, match="the store 'attic'") as caught:
        check_own(place)
    assert caught.value.detail == ("/a/x.gguf",)
    check_own({"store": "attic", "id": "x"})  # a gateway may know more of it


def test_of_a_link_only_the_link_goes_and_that_is_said(machine):
    real = machine.gguf(machine.home / "elsewhere.gguf")
    machine.models.mkdir(parents=True)
    (machine.models / "linked.gguf").symlink_to(real)
    with pytest.raises(BadRequestError, match=f"a link to {real}, which stays"):
        machine.uml("rm", "linked")
    assert machine.json("rm", "linked", "--yes")["freed_bytes"] == 0
    assert real.exists()


def test_what_is_left_is_told():
    left = [{"store": "ollama", "id": "a:b"}, {"store": "huggingface", "id": "o/a:Q"}]
    said = told({"id": "a", "freed_bytes": 2_000_000, "left": left})
    assert said == "removed 'a': 2.0 MB freed; the same model still lies in ollama as 'a:b' and huggingface as 'o/a:Q'"
