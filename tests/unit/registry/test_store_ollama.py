from __future__ import annotations

import hashlib
import json
import os

import pytest
from attrs import evolve

from uml_core.inspection import inspect
from uml_core.inspection.plugin import uml_model_formats
from uml_core.registry.stores import ollama
from uml_core.testing.gguf import write_gguf
from uml_core.types import Unreadable

IMAGE = "application/vnd.ollama.image."


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home/.ollama/models"


@pytest.fixture
def blob(write):
    """Put a file where Ollama keeps it, and give the layer that names it."""

    def make(folder, kind, content):
        digest = hashlib.sha256(content).hexdigest()
        write(folder / f"blobs/sha256-{digest}", content)
        return {"mediaType": f"{IMAGE}{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    return make


@pytest.fixture
def manifest(write):
    def make(folder, name, layers, *, manifests="manifests", **more):
        config = {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": "sha256:" + "c" * 64,
            "size": 483,
        }
        content = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
        return write(folder / manifests / name, json.dumps(content | {"config": config, "layers": layers} | more))

    return make


@pytest.fixture
def pulled(blob, manifest, model):
    """A model as `ollama pull` leaves it."""

    def make(folder, name="registry.ollama.ai/library/llama3.2/latest", content=None, *more, **manifest_more):
        layers = [
            blob(folder, "model", content or model()),
            blob(folder, "template", b"{{ .Prompt }}"),
            blob(folder, "license", b"LLAMA 3.2"),
            blob(folder, "params", b'{"stop":["<|eot_id|>"]}'),
            *more,
        ]
        return manifest(folder, name, layers, **manifest_more)

    return make


def reasons(found) -> list[str]:
    assert all(isinstance(one, Unreadable) for one in found), found
    return [one.reason for one in found]


def test_a_model(found, folder, pulled, model):
    pulled(folder)
    (one,) = found("ollama")
    digest = hashlib.sha256(model()).hexdigest()
    assert (one.id, one.model_name, one.variant) == ("llama3.2:latest", "llama3.2", "latest")
    assert (one.path, one.digest) == (folder / f"blobs/sha256-{digest}", digest)
    assert (one.size_bytes, one.store, one.companions) == (len(model()), "ollama", ())


@pytest.mark.parametrize(
    ("path", "id"),
    [
        ("registry.ollama.ai/library/qwen3/0.6b-q4_K_M", "qwen3:0.6b-q4_K_M"),
        ("registry.ollama.ai/someone/llama3/8b", "someone/llama3:8b"),
        ("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF/Q4_K_M", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"),
        ("registry.example.com/library/mine/latest", "registry.example.com/library/mine:latest"),
    ],
)
def test_names_are_those_that_ollama_shows(found, folder, pulled, path, id):
    pulled(folder, path)
    assert [one.id for one in found("ollama")] == [id]


def test_tags_of_the_same_bytes_are_models_of_one_digest(found, folder, pulled):
    pulled(folder, "registry.ollama.ai/library/x/latest")
    pulled(folder, "registry.ollama.ai/library/x/1b")
    first, second = found("ollama")
    assert (first.id, second.id, first.path) == ("x:1b", "x:latest", second.path)


def test_a_projector_and_an_adapter_are_companions(found, folder, pulled, blob, model):
    more = [blob(folder, kind, model(kind)) for kind in ("projector", "adapter")]
    pulled(folder, "registry.ollama.ai/library/llava/7b", None, *more)
    (one,) = found("ollama")
    assert [path.name for path in one.companions] == [layer["digest"].replace(":", "-") for layer in more]


def test_newer_manifests_are_links_and_hide_older_ones(found, folder, pulled, model):
    pulled(folder, "registry.ollama.ai/library/x/latest", model("old"))
    new = pulled(folder, "registry.ollama.ai/library/x/latest", model("new"), manifests="manifests-v2")
    blob = new.rename(folder / f"blobs/sha256-{hashlib.sha256(new.read_bytes()).hexdigest()}")
    new.symlink_to(os.path.relpath(blob, new.parent))
    (one,) = found("ollama")
    assert one.digest == hashlib.sha256(model("new")).hexdigest()


@pytest.mark.parametrize("inline", [True, False])
def test_of_a_list_of_manifests_it_is_that_of_gguf(found, folder, write, pulled, blob, model, inline):
    gguf = json.loads(pulled(folder, "x/x/x/x").read_text()) | {"runner": "llamacpp", "format": "gguf"}
    mlx = gguf | {"runner": "mlx", "format": "safetensors", "layers": [blob(folder, "tensor", b"t")]}
    (folder / "manifests/x/x/x/x").unlink()
    entries = [mlx, gguf]
    if not inline:
        digests = [blob(folder, "x", json.dumps(one).encode())["digest"] for one in entries]
        entries = [{"digest": digest, "runner": one["runner"]} for digest, one in zip(digests, entries, strict=True)]
    content = {"mediaType": "application/vnd.ollama.manifest.list.v2+json", "manifests": entries}
    write(folder / "manifests-v2/registry.ollama.ai/library/both/latest", json.dumps(content))
    assert [one.digest for one in found("ollama")] == [hashlib.sha256(model()).hexdigest()]


def test_single_tensors_are_told(found, folder, manifest, blob):
    manifest(folder, "registry.ollama.ai/library/mlx/1b", [blob(folder, "tensor", b"1"), blob(folder, "tensor", b"2")])
    (reason,) = reasons(found("ollama"))
    assert reason == (
        "Ollama's 'mlx:1b' can't be used: it is kept in pieces, which only Ollama can put together; fetch the model "
        "in another form"
    )


def test_a_model_of_ollamas_cloud_is_not_on_this_machine(found, folder, manifest, blob):
    manifest(folder, "registry.ollama.ai/library/gpt-oss/120b-cloud", [])
    manifest(folder, "registry.ollama.ai/library/kimi/cloud", [blob(folder, "license", b"x")])
    assert found("ollama") == []


def test_files_that_are_missing_or_not_whole_are_told(found, folder, pulled, model):
    pulled(folder, "registry.ollama.ai/library/cut/1b", model("cut"))
    pulled(folder, "registry.ollama.ai/library/gone/1b", model("gone"))
    cut, gone = (hashlib.sha256(model(name)).hexdigest() for name in ("cut", "gone"))
    os.truncate(folder / f"blobs/sha256-{cut}", 5)
    (folder / f"blobs/sha256-{gone}").unlink()
    assert reasons(found("ollama")) == [
        "Ollama's 'cut:1b' can't be used: a file of it isn't whole; `ollama pull cut:1b` fetches it again",
        "Ollama's 'gone:1b' can't be used: a file of it is missing; `ollama pull gone:1b` fetches it again",
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"no json",
        b"[]",
        b"null",
        b'{"layers": 5}',
        b'{"layers": [5]}',
        b'{"layers": [{}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:x", "size": 1}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": 7, "size": 1}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:' + b"a" * 64 + b'"}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "size": true, "digest": "sha256:'
        + b"a" * 64
        + b'"}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../../etc/passwd", "size": 1}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:' + b"a" * 64 + b'/../x",'
        b' "size": 1}]}',
        b'{"mediaType": "application/vnd.ollama.manifest.list.v2+json", "manifests": [{"digest": "sha256-../x"}]}',
        b'{"mediaType": "application/vnd.ollama.manifest.list.v2+json", "manifests": [[]]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"layers": ' + b"9" * 10_000 + b"}",
        b"{}" + b" " * (5 * 2**20),
    ],
    ids=range(20),
)
def test_manifests_that_ollama_did_not_write(found, folder, write, content):
    write(folder / "manifests/registry.ollama.ai/library/bad/latest", content)
    (reason,) = reasons(found("ollama"))
    assert reason.startswith("Ollama's 'bad:latest' can't be used: ")
    assert reason.endswith("; `ollama pull bad:latest` fetches it again")
    assert len(reason) < 300


def test_a_list_of_lists_ends(found, folder, write, blob):
    inner = {"mediaType": "application/vnd.ollama.manifest.list.v2+json", "manifests": []}
    content = inner | {"manifests": [{"digest": blob(folder, "x", json.dumps(inner).encode())["digest"]}]}
    write(folder / "manifests/registry.ollama.ai/library/x/latest", json.dumps(content))
    assert found("ollama") == []


def test_links_out_of_its_folder_and_odd_files_are_refused(found, folder, pulled, model, tmp_path):
    pulled(folder, "registry.ollama.ai/library/out/1b", model("out"))
    digest = hashlib.sha256(model("out")).hexdigest()
    outside = (folder / f"blobs/sha256-{digest}").rename(tmp_path / "outside.gguf")
    (folder / f"blobs/sha256-{digest}").symlink_to(outside)
    os.mkfifo(folder / "manifests/registry.ollama.ai/library/pipe")
    os.mkfifo(folder / "manifests/registry.ollama.ai/library/out/pipe")
    (folder / "manifests/registry.ollama.ai/library/out/zero").symlink_to("/dev/zero")
    (folder / "manifests/registry.ollama.ai/library/out/loop").symlink_to("loop")
    (folder / "manifests/up").symlink_to(folder)
    assert [reason.partition(";")[0] for reason in reasons(found("ollama"))] == [
        "Ollama's 'out:1b' can't be used: a file of it is a link out of Ollama's folder",
        "Ollama's 'out:loop' can't be used: 'loop' is a link that leads back to itself",
        "Ollama's 'out:pipe' can't be used: 'pipe' is a pipe or a device, not a model file",
        "Ollama's 'out:zero' can't be used: 'zero' is a pipe or a device, not a model file",
    ]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_where_its_models_are(found, folder, pulled, tmp_path, model, platform):
    pulled(folder, "registry.ollama.ai/library/own/1b", model("own"))
    pulled(tmp_path / "named", "registry.ollama.ai/library/named/1b", model("named"))
    service = tmp_path / "system/usr/share/ollama/.ollama/models"
    pulled(service, "registry.ollama.ai/library/service/1b", model("service"))
    ids = [one.id for one in found("ollama", platform, OLLAMA_MODELS=str(tmp_path / "named"))]
    assert ids == ["named:1b", "own:1b"] + (["service:1b"] if platform == "linux" else [])


def test_one_folder_under_two_names_is_read_once(found, folder, pulled):
    pulled(folder)
    assert len(found("ollama", OLLAMA_MODELS=str(folder))) == 1


@pytest.mark.parametrize("closed", ["models", "../.ollama", "models/manifests/registry.ollama.ai"])
def test_a_folder_of_its_service_that_is_closed(open_folder, as_nobody, pulled, places, closed):
    pulled(open_folder / "usr/share/ollama/.ollama/models")
    (open_folder / "usr/share/ollama/.ollama" / closed).chmod(0)
    store = ollama.store(evolve(places(), system=open_folder, home=open_folder / "home/nobody"))
    with as_nobody():
        (problem,) = store.list()
    name = "registry.ollama.ai" if "/manifests/" in closed else "models"
    assert problem.reason == (
        f"'{name}' in the store 'ollama' can't be read by this user; let Ollama's group read it (`sudo chmod -R g+rX "
        "/usr/share/ollama`, or where its service has its home), and join that group (`sudo usermod -aG ollama $USER`)"
    )


def test_a_machine_that_never_had_it(found):
    assert found("ollama") == []


def test_its_files_are_what_the_formats_read(found, folder, pulled, tmp_path):
    real = write_gguf(tmp_path / "x", {"general.architecture": "llama", "general.name": "Real"}, tensors={"w": (32,)})
    pulled(folder, content=real.read_bytes())
    (one,) = found("ollama")
    assert inspect(one.path, list(uml_model_formats())).name == "Real"
