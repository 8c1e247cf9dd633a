"""Another model is another card: the same notebooks, run on other pipelines and another CLIP by parameters alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from backends import tiny_models
from conftest import REPOSITORY, environment

pytestmark = pytest.mark.notebooks


@pytest.fixture(scope="module")
def place(smoke, tmp_path_factory) -> Path:
    """A copy of the repository with what the smoke profile has saved."""
    root = tmp_path_factory.mktemp("cards")
    for folder in ("lib", "params", "notebooks", "outputs/smoke/data", "outputs/smoke/cache"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("models", "outputs/cache"):
        (root / folder).symlink_to(REPOSITORY / folder)
    return root


def run(place: Path, notebook: str, **parameters: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "personalab.runner", "run", notebook, "--profile", "smoke"]
    for name, value in parameters.items():
        command += ["--set", f"{name}={json.dumps(value) if not isinstance(value, str) else value}"]
    return subprocess.run(
        command, cwd=place, env=environment(place), capture_output=True, text=True, check=False
    )


def tiny_card(place: Path, shape: str) -> str:
    """The path of a card, relative to the copy, of a random pipeline of that shape."""
    folder = place / "tiny" / shape
    tiny_models.save_pipeline(shape, folder)
    path = place / "tiny" / f"tiny-{shape}.yaml"
    path.write_text(yaml.safe_dump(tiny_models.pipeline_card(shape, folder)))
    return str(path.relative_to(place))


@pytest.mark.parametrize("shape", ["sdxl", "sd3", "flux", "qwen-image"])
def test_the_gallery_notebook_runs_on_any_shape_of_pipeline(shape, place):
    done = run(place, "vptt/s10_assets", image_card=tiny_card(place, shape))
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((place / "outputs/smoke/images" / f"tiny-{shape}").glob("*/*.png"))) >= 3 * 4


def test_panels_and_tastes_run_on_another_pipeline_and_another_clip(place):
    card = tiny_card(place, "sdxl")
    clip = place / "tiny" / "tiny-clip.yaml"
    folder = tiny_models.save_clip(place / "tiny" / "clip")
    description = {"kind": "clip", "model": str(folder), "width": 8, "max_tokens": 24, "batch_size": 8}
    clip.write_text(yaml.safe_dump(description))
    for notebook, parameters in {
        "vptt/s4_3_panels": {"image_card": card},
        "world/w6_tastes": {"image_cards": [card], "judge": str(clip.relative_to(place))},
    }.items():
        done = run(place, notebook, **parameters)
        assert done.returncode == 0, done.stderr[-3000:]
