"""Vocabularies as Hugging Face's tokenizers write them: small ones made here, byte level and SentencePiece's way."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers  # noqa: E402

from uml_core.errors import InvalidModelFileError  # noqa: E402
from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer  # noqa: E402
from uml_core.worker.text.tokenizer import decode  # noqa: E402

TEXT = ["the quick brown fox jumps over the lazy dog; été, 日本語, 🙂 and so on", "the the the quick quick dog dog"]
SPECIAL = ["<s>", "</s>", "<|im_start|>"]


def byte_level():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    made.add_tokens([AddedToken("<tool>", special=False)])
    return made


def sentence_piece():
    known = [f"<0x{byte:02X}>" for byte in range(256)] + SPECIAL
    vocabulary = {token: at for at, token in enumerate([*known, "▁", "▁the", "t", "h", "e", "th", "the"])}
    made = Tokenizer(models.BPE(vocabulary, [("t", "h"), ("th", "e"), ("▁", "the")], byte_fallback=True, fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.add_special_tokens(SPECIAL)
    return made


@pytest.fixture(params=[byte_level, sentence_piece], ids=["byte level", "sentence piece"])
def folder(request, tmp_path):
    made = request.param()
    made.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))])
    made.save(str(tmp_path / "tokenizer.json"))
    write(tmp_path, "tokenizer_config.json", {"bos_token": "<s>", "eos_token": {"content": "</s>"}})
    write(tmp_path, "config.json", {"vocab_size": 512, "eos_token_id": made.token_to_id("<|im_start|>")})
    return tmp_path


def write(folder, name, said):
    (folder / name).write_text(said if isinstance(said, str) else json.dumps(said))


@pytest.fixture
def made(folder):
    return HuggingFaceTokenizer.from_folder(folder)


@pytest.mark.parametrize("kind", [byte_level, sentence_piece])
def test_pieces_make_up_the_text_again(kind):
    made = HuggingFaceTokenizer(kind(), config={}, generation={}, n_vocab=400)

    @settings(max_examples=100, deadline=None)
    @given(st.text().map(lambda text: text.replace("▁", "")))
    def check(text):
        assert decode(made, made.encode(text, add_special=False)) == text

    check()


def test_special_tokens_are_written_only_if_asked_for(made):
    token = made.find("<s>")
    assert made.piece(token) == b""
    assert made.piece(token, special=True) == b"<s>"
    assert made.piece(511) == b""
    assert made.find("the") is None
    assert made.find("nothing") is None


def test_an_added_token_that_is_not_special_is_text():
    made = HuggingFaceTokenizer(byte_level(), config={}, generation={}, n_vocab=400)
    assert made.piece(made.find("<tool>")) == b"<tool>"


def test_what_is_put_around_a_text(made):
    plain = made.encode("the fox", add_special=False)
    begin = made.find("<s>")
    assert made.encode("the fox", add_special=True) == [begin, *plain]
    assert made.encode("<s>the fox", add_special=True) == made.encode("<s>the fox", add_special=False)


@pytest.mark.parametrize(("begins", "ends"), [(True, False), (False, True), (True, True), (False, False)])
def test_the_configuration_knows_better_what_is_put_around(folder, begins, ends):
    said = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": begins, "add_eos_token": ends}
    write(folder, "tokenizer_config.json", said)
    made = HuggingFaceTokenizer.from_folder(folder)
    plain = made.encode("the fox", add_special=False)
    before, after = [made.find("<s>")] * begins, [made.find("</s>")] * ends
    assert made.encode("the fox", add_special=True) == [*before, *plain, *after]


def test_names_ends_and_size(made):
    assert made.names == {"bos_token": "<s>", "eos_token": "</s>"}
    assert made.ends == {made.find("</s>"), made.find("<|im_start|>")}
    assert made.n_vocab == 512


def test_what_the_makers_say_of_sampling(folder):
    write(folder, "generation_config.json", {"eos_token_id": [1, 2], "temperature": 0.6, "repetition_penalty": 1.1})
    made = HuggingFaceTokenizer.from_folder(folder)
    assert made.defaults == {"temperature": 0.6, "repeat_penalty": 1.1}
    assert {1, 2} <= made.ends


def test_chat_templates_in_all_their_places(folder):
    listed = [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]
    write(folder, "tokenizer_config.json", {"chat_template": listed, "response_template": {"x": 1}})
    made = HuggingFaceTokenizer.from_folder(folder)
    assert (made.chat_template, made.chat_templates) == ("a", {"tool_use": "b"})
    assert made.response_template == {"x": 1}
    write(folder, "chat_template.jinja", "c")
    (folder / "additional_chat_templates").mkdir()
    write(folder, "additional_chat_templates/rag.jinja", "d")
    made = HuggingFaceTokenizer.from_folder(folder)
    assert (made.chat_template, made.chat_templates) == ("c", {"tool_use": "b", "rag": "d"})


def test_the_constraints_know_the_same_tokens(made):
    known = made.constraints()
    assert made.constraints() is known
    assert known.vocab_size == 512
    assert set(known.eos_tokens) == made.ends
    for token in made.encode("the quick 日本 🙂", add_special=False):
        assert known.decode_bytes([token]) == made.piece(token)


@pytest.mark.parametrize("text", ["</s>", "the</s>the", "the <|im_start|>", "<|im_start|><s>", "the <to", "été</s>"])
def test_what_a_grammar_spells_out_is_no_special_token(made, text):
    tokens = made.constraints().tokenize_str(text)
    assert not {made.find(special) for special in SPECIAL}.intersection(tokens)
    assert made.constraints().decode_bytes(tokens) == text.encode()


def test_nor_an_added_one_that_looks_like_one():
    made = HuggingFaceTokenizer(byte_level(), config={}, generation={"eos_token_id": 1}, n_vocab=400)
    known, tag = made.constraints(), made.find("<tool>")
    assert tag not in known.tokenize_str("the<tool>")
    assert known.is_special_token(tag)


@pytest.mark.parametrize("damaged", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["{", "[]"])
def test_damaged_files(folder, damaged, content):
    write(folder, damaged, content)
    with pytest.raises(InvalidModelFileError, match=rf"{damaged}' can't be read: "):
        HuggingFaceTokenizer.from_folder(folder)


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(InvalidModelFileError, match=r"has no tokenizer.json; convert"):
        HuggingFaceTokenizer.from_folder(tmp_path)
