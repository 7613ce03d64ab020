import pytest

from uml_core.cli.session import GatewaySession
from uml_core.client import UniversalClient
from uml_core.errors import BadRequestError
from uml_core.settings import read_settings
from uml_core.types import LoadRequest

CHAT = "/v1/chat/completions"


def test_a_path_cannot_go_to_a_gateway(gateway, tmp_path):
    """The sentence has the way out: link the file into the models folder."""
    gateway.json("/load_model", b'{"error":{"message":"a path","code":"invalid_request"}}', status=400)
    file = tmp_path / "a.gguf"
    session = GatewaySession(UniversalClient(gateway.url), read_settings(models_dir=tmp_path / "models"))
    with pytest.raises(BadRequestError, match=r"^a path"):
        session.load(LoadRequest(model=str(file)))
    file.touch()
    with pytest.raises(BadRequestError, match=f"ln -s '{file}' '{tmp_path}/models'"):
        session.load(LoadRequest(model=str(file)))


def test_a_model_that_another_client_replaced_is_loaded_again(gateway, job_view):
    gateway.answers["/load_model"] = gateway.view(job_view("committed"))
    session = GatewaySession(UniversalClient(gateway.url), read_settings())
    session.load(LoadRequest(model="m", context_length=64))

    def refuse_once(handler):
        gateway.stream(CHAT, b'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: [DONE]\n\n')
        gateway.reply(handler, b'{"error":{"message":"loading","code":"model_loading"}}', status=503)

    gateway.answers[CHAT] = refuse_once
    assert list(session.chat([{"role": "user", "content": "hi"}], {})) == ["x"]
    assert [path for _, path, _ in gateway.requests] == ["/load_model", CHAT, "/load_model", CHAT]
    assert gateway.requests[2][2] == gateway.requests[0][2]
