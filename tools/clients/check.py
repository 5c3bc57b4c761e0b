"""Edits a photo through a running `baret serve` with Python clients of other APIs: openai and webuiapi.

    pip install openai webuiapi
    npx baret serve --no-open --port 7878
    python tools/clients/check.py http://127.0.0.1:7878

Each check prints one line. The status is 1 if one of them failed.
"""

import base64
import io
import random
import sys
import threading
import time
import traceback
from importlib.metadata import version
from urllib.parse import urlsplit

import openai
import webuiapi
from PIL import Image

PHOTO = "examples/dog.png"
PROMPT = "a brown dog lying down on the grass"
QUICK = {"method": "sdedit", "steps": 4, "strength": 0.5}

# Equal requests share one result, so each run asks for another guidance where it needs a new edit.
FRESH = {"guidance": round(3 + random.random(), 6)}

url = sys.argv[1].rstrip("/")
client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
parts = urlsplit(url)
a1111 = webuiapi.WebUIApi(host=parts.hostname, port=parts.port, steps=4)


def photo():
    return open(PHOTO, "rb")


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def plain():
    reply = client.images.edit(image=photo(), prompt=PROMPT, extra_body={"seed": 1, "baret": QUICK})
    assert opened(reply.data[0].b64_json).size == Image.open(PHOTO).size
    assert reply.output_format == "png" and reply.size == "128x128"


def several_images():
    mirrored = io.BytesIO()
    Image.open(PHOTO).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored, "png")
    images = [photo(), ("mirrored.png", mirrored.getvalue())]
    first, second = client.images.edit(
        image=images, prompt=PROMPT, n=2, output_format="webp", extra_body={"baret": {**QUICK, "strength": 0}}
    ).data
    difference = lambda a, b: sum(abs(x - y) for x, y in zip(a.tobytes(), b.tobytes())) / len(a.tobytes())
    pictures = [opened(one.b64_json).convert("RGB") for one in (first, second)]
    mirror = pictures[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert difference(pictures[0], mirror) < 10 < difference(*pictures)


def streaming():
    stream = client.images.edit(
        image=photo(), prompt=PROMPT, stream=True, partial_images=3, extra_body={"baret": {"method": "plain", "steps": 31, **FRESH}}
    )
    events = list(stream)
    kinds = [event.type for event in events]
    assert kinds[-1] == "image_edit.completed" and 1 < len(kinds) <= 4, kinds
    assert set(kinds[:-1]) == {"image_edit.partial_image"}
    for event in events:
        assert opened(event.b64_json).format == "PNG"


def error():
    try:
        client.images.edit(image=photo(), prompt=PROMPT, mask=photo())
    except openai.BadRequestError as refusal:
        assert refusal.param == "mask" and refusal.status_code == 400, refusal
        return
    raise AssertionError("not refused")


def cancel_by_closing():
    stream = client.images.edit(image=photo(), prompt=PROMPT, stream=True, extra_body={"baret": {"steps": 60, **FRESH}})
    stream.close()
    began = time.monotonic()
    client.images.edit(image=photo(), prompt=PROMPT, extra_body={"seed": 2, "baret": QUICK})
    assert time.monotonic() - began < 30


def retry_attached():
    patient = client.with_options(timeout=1.5, max_retries=20)
    body = {"image": open(PHOTO, "rb").read(), "prompt": PROMPT, "extra_body": {"baret": {"method": "plain", "steps": 60, **FRESH}}}
    reply = patient.images.edit(**body)
    # Only one of the attempts had a job of its own: the same request is answered from it.
    began = time.monotonic()
    again = client.images.edit(**body)
    assert again.model_extra["baret"][0]["job"] == reply.model_extra["baret"][0]["job"]
    assert time.monotonic() - began < 3


def models():
    names = [model.id for model in client.models.list()]
    assert "menagerie" in names and client.models.retrieve("menagerie").id == "menagerie"


def img2img():
    result = a1111.img2img(images=[Image.open(PHOTO)], prompt=PROMPT, denoising_strength=0.5, width=128, height=128, seed=7)
    assert result.image.size == (128, 128) and result.info["seed"] == 7, result.info


def progress_and_interrupt():
    outcome = []

    def edit():
        try:
            a1111.img2img(images=[Image.open(PHOTO)], prompt=PROMPT, steps=400, width=128, height=128, denoising_strength=1)
            outcome.append("done")
        except RuntimeError as failure:
            outcome.append(failure.args[0])

    thread = threading.Thread(target=edit)
    thread.start()
    seen = 0
    while seen < 0.5:
        seen = a1111.get_progress()["progress"]
        time.sleep(0.1)
    a1111.interrupt()
    thread.join(10)
    assert outcome == [409], outcome
    assert a1111.get_progress()["progress"] == 0


def lists():
    assert a1111.util_get_model_names()[0].startswith("menagerie")
    assert a1111.util_get_current_model() in a1111.util_get_model_names()
    a1111.util_set_model("menagerie")
    assert a1111.util_get_sampler_names() == ["DDIM"]
    a1111.util_wait_for_ready(0.1)


CHECKS = [plain, several_images, streaming, error, cancel_by_closing, retry_attached, models]
CHECKS += [img2img, progress_and_interrupt, lists]

print(f"openai {version('openai')}, webuiapi {version('webuiapi')}, Python {sys.version.split()[0]}")
failed = 0
for check in CHECKS:
    began = time.monotonic()
    try:
        check()
        verdict = "passed"
    except Exception:
        failed += 1
        verdict = traceback.format_exc()
    print(f"{check.__name__:24} {time.monotonic() - began:6.1f} s  {verdict}")
sys.exit(1 if failed else 0)
