"""The baselines on published pipelines, by parameters alone: random models in their true formats through the notebooks."""

import base64
import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pandas as pd
import pytest
import yaml

from backends import tiny_models
from conftest import REPOSITORY
from personalab.backends.pictures import png
from test_cards import run

pytestmark = pytest.mark.notebooks
METHODS = {
    "DB-LoRA": "flux",
    "ViPer": "sdxl",
    "DrUM": "stable-diffusion",
    "FABRIC": "stable-diffusion",
    "Grid": "kontext",
}


@pytest.fixture(scope="module")
def place(smoke, tmp_path_factory) -> Path:
    """A copy of the repository with what the smoke profile has saved, and a card for every shape of pipeline."""
    root = tmp_path_factory.mktemp("baselines")
    for folder in ("lib", "params", "notebooks", "outputs/smoke"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("models", "outputs/cache"):
        (root / folder).symlink_to(REPOSITORY / folder)
    for shape in ("flux", "sdxl", "stable-diffusion"):
        write_card(root, shape, tiny_models.save_pipeline(shape, root / "tiny" / shape))
    diffusers.FluxKontextPipeline(**tiny_models.flux().components).save_pretrained(root / "tiny" / "kontext")
    write_card(root, "kontext", root / "tiny" / "kontext")
    refiner = diffusers.StableDiffusionXLImg2ImgPipeline(
        **tiny_models.sdxl().components, add_watermarker=False
    )
    refiner.save_pretrained(root / "tiny" / "refiner")
    write_card(root, "refiner", root / "tiny" / "refiner")
    return root


def write_card(root: Path, shape: str, folder: Path) -> None:
    """tiny/<shape>.yaml: few steps, 16 pixels; Flux with a recipe for adapters, Kontext as small as that."""
    like = {"kontext": "flux", "refiner": "sdxl"}.get(shape, shape)
    card = tiny_models.pipeline_card(like, folder)
    if shape == "kontext":
        card["batch_size"] = 1
        card["call"] |= {"max_area": 256, "_auto_resize": False}
    if like == "sdxl":
        card["call"]["num_inference_steps"] = 5  # the last of which is the refiner's
    if shape == "refiner":
        card["call"] = {}
    recipe = {"trigger": "q", "steps": 3, "rank": 2, "optimiser": "adamw", "rate": 0.01, "batch_size": 1}
    (root / "tiny" / f"{shape}.yaml").write_text(yaml.safe_dump(card | {"recipe": recipe}))


def test_every_method_draws_on_the_pipeline_it_is_made_for(place):
    """DrUM's adapter is trained on the bench's captions first; Kontext is shown the grid; VPRAG meets each on its card."""
    sd = "tiny/stable-diffusion.yaml"
    trained = run(
        place, "world/w10_adapters", drum_cards=[sd], drum_names=["drum-sd"], captions_from="vptt/s3_1_bench",
        drum_layers=2, drum_heads=2, drum_keep=False, grid_card='""', proxy_clip='""', models="outputs/smoke/models",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr[-3000:]
    adapter = "outputs/smoke/models/drum-sd/adapter.safetensors"
    assert (place / adapter).exists() and "vptt/s3_1_bench" in (place / adapter).parent.joinpath(
        "README.md"
    ).read_text()
    cards = [f"tiny/{shape}.yaml" for shape in METHODS.values()]
    done = run(
        place, "vptt/s7_2_baselines", methods=[*METHODS], method_cards=cards, drum_adapter=adapter,
        grid_adapter='""', grid_columns=2, grid_side=8, lora_card="tiny/flux.yaml", fabric_steps=2, known=False,
        viper_degree=0.85, viper_refiner="tiny/refiner.yaml",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    table = pd.read_csv(place / "outputs/smoke/tables/table4.csv")
    mine = table[table["method"].isin([*METHODS])]
    assert (mine["missing"].astype(int) == 0).all() and (mine["GFLOP a picture"] > 0).all()
    prepared = mine.set_index("method")["GFLOP a person"]
    assert prepared.loc["DB-LoRA"].min() > prepared.loc["ViPer"].max() == 0
    items = pd.read_parquet(place / "outputs/smoke/data/vptt/s7_2_baselines/items.parquet")
    ours = set(items["method"]) - {*METHODS, "Baseline", "VPRAG"}
    assert ours == {f"VPRAG, {card}" for card in cards[:4]} | {f"VPRAG + Grid, {cards[4]}"}
    manifest = json.loads((place / "outputs/smoke/notebooks/vptt/s7_2_baselines.json").read_text())
    assert adapter in manifest["inputs"]


class Handler(BaseHTTPRequestHandler):
    """A service that draws one grey, writes three phrases, states preferences, and gives every label 3 points."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode(errors="replace")
        self.server.asked.append(self.path)
        if "images" in self.path:
            found = {"created": 1, "data": [{"b64_json": base64.b64encode(png(self.grey())).decode()}]}
        else:
            text = json.loads(body)["messages"][-1]["content"][0]["text"]
            message = {"role": "assistant", "content": said(text)}
            found = {"id": "1", "object": "chat.completion", "model": "m", "created": 1}
            found |= {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def grey(self) -> np.ndarray:
        return np.full((16, 16, 3), len(self.server.asked), np.uint8)

    def log_message(self, *_: Any) -> None:
        pass


def said(question: str) -> str:
    if labels := re.findall(r"^([A-J]): Score", question, flags=re.M):
        return "\n".join(f"{label}: Score=3.0 - the same light" for label in labels)
    return "Likes: mist\nDislikes: neon" if "Likes:" in question else "mist, boats, dawn"


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_services_draw_read_and_judge_within_the_cap(place, server):
    """GPT-image-1 with the grid and with a written prompt, preferences from a model that sees, Gemini's place as judge."""
    there = {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "key": "none", "model": "m"}
    chat = there | {
        "kind": "openai-chat",
        "dollars_per_million_output": 500.0,
        "tokens_per_image": 9,
        "call": {"max_tokens": 100},
    }
    images = there | {"kind": "openai-images", "batch_size": 1, "negatives": False, "dollars_per_image": 0.07}
    for name, card in (("sees", chat), ("draws", images)):
        (place / "tiny" / f"{name}.yaml").write_text(yaml.safe_dump(card))
    names = ["ViPer", "GPT VLM + GPT-image-1", "GPT-image-1"]
    given = {
        "methods": names, "method_cards": ["tiny/sdxl.yaml", "tiny/draws.yaml", "tiny/draws.yaml"], "grid_columns": 2,
        "viper_reader": "tiny/sees.yaml", "grid_reader": "tiny/sees.yaml", "judge_card": "tiny/sees.yaml", "known": False,
    }  # fmt: skip
    refused = run(place, "vptt/s7_2_baselines", **given, cap=0.01)
    assert refused.returncode != 0 and "CapReached" in refused.stderr, refused.stderr[-3000:]
    done = run(place, "vptt/s7_2_baselines", **given, cap=9.0)
    assert done.returncode == 0, done.stderr[-3000:]
    assert sum("images/edits" in path for path in server.asked) == 2 * 2 * 2, (
        "own and other's grid, two methods"
    )
    table = pd.read_csv(place / "outputs/smoke/tables/table4.csv").set_index(["method", "score"])
    assert table.loc[("GPT-image-1", "judge"), "dollars a picture"] == 0.07
    assert table.loc[("GPT VLM + GPT-image-1", "judge"), "dollars a picture"] > 0.07
    assert np.isnan(table.loc[("ViPer", "judge"), "dollars a picture"]), (
        "stated preferences have an unknown price"
    )
    assert (table.loc[names, "missing"].astype(int) == 0).all()
