import pytest

from uml_core.cli.session import GatewaySession
from uml_core.client import UniversalClient
from uml_core.errors import BadRequestError
from uml_core.settings import read_settings
from uml_core.types import LoadRequest


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
