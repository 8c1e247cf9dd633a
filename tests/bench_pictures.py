"""How fast scenes are drawn and pictures rendered, beside diffusers' own loop on the same batch (`make bench`).

Times are wall clock on all cores: unlike the other half of the bench this one is a matter of threads and processes.
Grounding reads canonical captions by their spelling, as it does most prompts; the encoder behind it is not timed.
"""

import os
import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from diffusers import DiffusionPipeline

import personalab.world.autoencoder  # noqa: F401 (the pipeline below holds it)
from personalab.backends import image
from personalab.backends.pictures import Request
from personalab.sources import ROOT
from personalab.world import scenes
from personalab.world.captions import plain
from personalab.world.draw import draw_many

SCENES, PICTURES = 1200, 64
CORES = os.cpu_count() or 1


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    drawn = [scenes.sample(np.random.default_rng([0, i])) for i in range(SCENES)]
    draw_many(drawn[:64], range(64))
    one, many = (SCENES / seconds(lambda w=w: draw_many(drawn, range(SCENES), w)) for w in (1, CORES))
    print(f"drawing: {one:.0f} scenes/s in one process, {many:.0f} in {CORES} (limit 300)")

    prompts = [plain(scene) for scene in drawn[:PICTURES]]
    backend = image.load("mini-sd", embed=lambda texts: np.zeros((len(texts), 2), np.float32))
    bare = DiffusionPipeline.from_pretrained(ROOT / "models" / "mini-sd")
    bare.set_progress_bar_config(disable=True)

    def by_diffusers(size: int) -> None:
        for start in range(0, PICTURES, size):
            part = prompts[start : start + size]
            noise = [torch.Generator().manual_seed(start + i) for i in range(len(part))]
            bare(part, num_inference_steps=8, guidance_scale=3.0, height=64, width=64, generator=noise)

    backend([Request(prompts[0], 0)])
    rows = {
        "backend, batches of 32": seconds(lambda: backend([Request(p, i) for i, p in enumerate(prompts)]))
    }
    rows |= {
        f"diffusers, batches of {size}": seconds(lambda size=size: by_diffusers(size)) for size in (32, 1)
    }
    table = pd.DataFrame({"what": rows.keys(), "s / image": [s / PICTURES for s in rows.values()]})
    table["limit"] = [0.15, np.nan, np.nan]
    table["ratio to diffusers, 32"] = table["s / image"].iloc[1] / table["s / image"]
    print(table.to_string(index=False, float_format="{:.3g}".format, na_rep="-"))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
