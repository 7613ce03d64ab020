"""A machine that has used other programs: one table of all their models, real ones, and each can be asked."""

import hashlib
import json
import os
import shutil
import time

import httpx
import pytest

from uml_core.testing.gguf import write_gguf

pytestmark = pytest.mark.engine
SMOL, OLLAMA, MINILM = "SmolLM2-135M-Instruct.Q4_1", "smollm2:135m", "sentence-transformers/all-MiniLM-L6-v2"
COMMIT = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def into_ollama(home, model):
    """As `ollama pull` leaves it: a blob that its digest names, and a manifest that names the blob."""
    blobs, manifest = (
        home / ".ollama/models/blobs",
        home / ".ollama/models/manifests/registry.ollama.ai/library/smollm2",
    )
    blobs.mkdir(parents=True), manifest.mkdir(parents=True)
    name = digest(model)
    shutil.copyfile(model, blobs / f"sha256-{name}")
    layer = {
        "mediaType": "application/vnd.ollama.image.model",
        "digest": f"sha256:{name}",
        "size": model.stat().st_size,
    }
    (manifest / "135m").write_text(json.dumps({"schemaVersion": 2, "layers": [layer]}))


def into_hub_cache(home, folder):
    """As the hub's client leaves it: blobs by digest, a snapshot of links, a ref that names it."""
    repository = home / ".cache/huggingface/hub/models--sentence-transformers--all-MiniLM-L6-v2"
    snapshot = repository / "snapshots" / COMMIT
    for part in ("refs", "blobs"):
        (repository / part).mkdir(parents=True)
    (repository / "refs/main").write_text(COMMIT)
    for file in (path for path in folder.rglob("*") if path.is_file()):
        blob, link = repository / "blobs" / digest(file), snapshot / file.relative_to(folder)
        shutil.copyfile(file, blob)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))


@pytest.fixture
def machine(gateway, smollm2, minilm):
    """A user with a models folder, and what Ollama and a Python program fetched."""
    home = gateway.data / "home"
    into_ollama(home, smollm2)
    into_hub_cache(home, minilm)
    return gateway


def listed(machine):
    return {card["id"]: card for card in json.loads(machine.uml("list", "--json").stdout)}


def test_one_table_of_three_stores(machine):
    first, second = machine.uml("list"), machine.uml("list")
    assert first.returncode == second.returncode == 0, first.stderr
    assert second.stdout == first.stdout
    lines = {line.split()[0]: line.split() for line in second.stdout.splitlines()}
    assert list(lines) == ["MODEL", MINILM, SMOL]
    assert {"98", "135M", "Q4_1", "8K", "chat", "gguf", "folder"} <= set(lines[SMOL])
    assert {"92", "23M", "FP32", "512", "embedding", "safetensors", "huggingface"} <= set(lines[MINILM])
    cards = listed(machine)
    assert cards[SMOL]["also"] == [{"store": "ollama", "id": OLLAMA}]
    assert (cards[MINILM]["parameters"], cards[MINILM]["license"]) == (22_713_216, "apache-2.0")
    assert machine.uml("scan", "--json").returncode == 0


def test_a_model_answers_under_the_name_that_another_program_gave_it(machine):
    said = machine.uml("run", "-m", OLLAMA, "Count from 1 to 10.", "--temperature", "0", "--max-tokens", "24")
    assert said.stdout.startswith("1. 1\n2. 2\n3. 3\n4. 4\n5. 5"), said.stderr
    refused = machine.uml("run", "-m", MINILM, "Hello")
    assert refused.returncode == 2
    assert f"model '{MINILM}' can't do text-generation; it can do feature-extraction" in refused.stderr


def test_a_scan_beside_a_gateway_acts_through_it(machine, tmp_path):
    machine.start()
    known = {model.id for model in machine.openai.models.list()}
    assert known == {SMOL, MINILM}
    new = write_gguf(
        tmp_path / "new.gguf",
        {"general.architecture": "llama", "llama.context_length": 64},
        tensors={"token_embd.weight": (32,)},
    )
    shutil.move(new, machine.data / "home/.ollama/models/blobs" / f"sha256-{digest(new)}")  # not named by a manifest
    cache = machine.data / "home/.cache/llama.cpp"
    cache.mkdir(parents=True)
    write_gguf(cache / "org_new_new-F32.gguf", {"general.architecture": "llama"}, tensors={"token_embd.weight": (64,)})
    report = json.loads(machine.uml("scan", "--json").stdout)
    jobs = [job for job in httpx.get(f"{machine.url}/jobs").json()["data"] if job["kind"] == "scan"]
    assert jobs[0]["state"] == "committed"
    assert jobs[0]["report"]["models"] == 3
    assert report["models"] == 3
    assert len({model.id for model in machine.openai.models.list()} - known) == 1


def test_what_is_known_outlives_a_kill(machine):
    machine.start()
    machine.load(SMOL, backend="llamaserver", context_length=1024)
    machine.openai.chat.completions.create(model=OLLAMA, messages=[{"role": "user", "content": "Hello"}], max_tokens=8)
    assert machine.uml("alias", "small", OLLAMA).returncode == 0
    assert machine.uml("pin", SMOL).returncode == 0
    deadline = time.monotonic() + 20
    while listed(machine)[SMOL]["usage"]["requests"] < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    machine.stop(9)
    card = listed(machine)[SMOL]
    assert (card["pinned"], card["aliases"], card["usage"]["loads"], card["usage"]["requests"]) == (
        True,
        ["small"],
        1,
        1,
    )
    assert "is pinned" in machine.uml("rm", "--yes", SMOL).stderr
    machine.start()
    assert machine.load("small")["model"] == SMOL
