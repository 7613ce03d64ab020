"""The tiny model names what is in a picture, in the engines themselves and from each of its formats.

What it says, calls and thinks is asked through the backends, in tests/e2e.
"""

import base64
import io
import random

import numpy as np
import pytest
from tiny_pictures import COLOURS, SHAPES, draw

ASK = "What is in the image?"


def pictures():
    chance = random.Random(12345)
    return [(f"a {colour} {shape}", draw(colour, shape, chance)) for colour in COLOURS for shape in SHAPES]


def test_transformers(tiny_vlm):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    processor = transformers.AutoProcessor.from_pretrained(tiny_vlm)
    model = transformers.AutoModelForImageTextToText.from_pretrained(tiny_vlm, dtype=torch.float32).eval()
    for expected, image in pictures():
        content = [{"type": "image", "image": image}, {"type": "text", "text": ASK}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            out = model.generate(**inputs, max_new_tokens=20, do_sample=False)
        said = processor.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert said == expected


def test_llama_cpp(tiny_gguf, tiny_mmproj):
    llama_cpp = pytest.importorskip("llama_cpp")
    from llama_cpp.llama_chat_format import MTMDChatHandler

    eyes = MTMDChatHandler(clip_model_path=str(tiny_mmproj), verbose=False)
    model = llama_cpp.Llama(str(tiny_gguf), chat_handler=eyes, n_ctx=512, verbose=False)
    for expected, image in pictures():
        file = io.BytesIO()
        image.save(file, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": ASK}]
        answer = model.create_chat_completion(
            [{"role": "user", "content": content}], temperature=0, max_tokens=20, repeat_penalty=1.0
        )
        assert answer["choices"][0]["message"]["content"].strip() == expected


@pytest.mark.proof
def test_onnxruntime(tiny_vlm_onnx):
    onnxruntime = pytest.importorskip("onnxruntime")
    tokenizers = pytest.importorskip("tokenizers")
    names = ("vision_encoder", "embed_tokens", "decoder_model_merged")
    eyes, words, decoder = (
        onnxruntime.InferenceSession(str(tiny_vlm_onnx / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        for name in names
    )
    tokenizer = tokenizers.Tokenizer.from_file(str(tiny_vlm_onnx / "tokenizer.json"))
    shown = f"<fake_token_around_image><global-img>{'<image>' * 4}<fake_token_around_image>{ASK}"
    prompt = tokenizer.encode(f"<|im_start|>user\n{shown}<|im_end|>\n<|im_start|>assistant\n").ids
    places = np.array(prompt) == tokenizer.token_to_id("<image>")
    for expected, image in pictures():
        pixels = (np.asarray(image, np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        embedded = words.run(None, {"input_ids": np.array([prompt])})[0]
        embedded[0, places] = eyes.run(None, {"pixel_values": pixels})[0].reshape(-1, embedded.shape[-1])
        assert tokenizer.decode(greedy(embedded, words, decoder, tokenizer.token_to_id("<|im_end|>"))) == expected


def greedy(embedded, words, decoder, end):
    past = {
        each.name: np.zeros((1, each.shape[1], 0, each.shape[3]), np.float32)
        for each in decoder.get_inputs()
        if each.name.startswith("past")
    }
    said, length = [], 0
    while len(said) < 20:
        places = np.arange(length, length + embedded.shape[1])[None]
        length += embedded.shape[1]
        asked = {"inputs_embeds": embedded, "attention_mask": np.ones((1, length), np.int64), "position_ids": places}
        logits, *new = decoder.run(None, {**asked, **past})
        past = dict(zip(past, new, strict=True))
        token = int(logits[0, -1].argmax())
        if token == end:
            break
        said.append(token)
        embedded = words.run(None, {"input_ids": np.array([[token]])})[0]
    return said
