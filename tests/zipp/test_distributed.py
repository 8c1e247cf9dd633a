"""Two processes under torchrun against one with the whole batch: the same losses, the same model, no deadlock."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from personalab.world.train.fit import read_log
from personalab.zipp import distributed, graph, graph_store, models, synthetic, train
from personalab.zipp.encoders import GATv2Encoder

STEPS, SUBREDDITS, WIDTH = 100, 60, 6
MODULE = ["-m", "personalab.zipp.distributed"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a graph, features, users and a few pictures."""
    folder = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(0)
    places = synthetic.communities(SUBREDDITS, rng)
    tastes = rng.normal(size=(4, len(synthetic.values()))).astype(np.float32)
    people = synthetic.population(tastes, 300, rng)
    chunks = synthetic.interactions(people, places, share=1.0, seed=0)
    graph_store.write(folder / "graph", chunks, SUBREDDITS)
    np.save(folder / "features.npy", places.themes)
    np.save(folder / "users.npy", np.arange(20, 300))
    # so few that often one process has none in its half of a batch, and sometimes both
    vectors = rng.normal(size=(40, WIDTH)).astype(np.float32)
    np.savez(folder / "pictures.npz", users=np.sort(rng.integers(20, 300, size=40)), vectors=vectors)
    return folder


def plan(given, out, **options):
    files = {"graph": given / "graph", "features": given / "features.npy", "users": given / "users.npy"}
    training = {"steps": STEPS, "batch": 8, "rate": 3e-3} | options.pop("training", {})
    base = {"folder": out, "encoder": "GraphSAGE", "options": {"hidden": 16}, "training": training, "seed": 3}
    return json.loads(json.dumps(files | base | options, default=str))


def torchrun(path):
    """The command of the module's docstring, on this machine alone."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    finish(
        [subprocess.Popen([*command, *MODULE, str(path)], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)]
    )


def two_processes(path):
    """What torchrun would start, without torchrun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    started = [
        subprocess.Popen(
            [sys.executable, *MODULE, str(path)],
            env=ENVIRONMENT | place | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    finish(started)


def finish(started):
    try:
        for one in started:
            said = one.communicate(timeout=120)[1]
            assert one.returncode == 0, said[-4000:]
    finally:
        for one in started:
            one.kill()
            one.wait()


def assert_same(alone, shared):
    logs = read_log(alone), read_log(shared)
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]] == [50, 100]
    for one, other in zip(*logs, strict=True):
        assert set(one) == set(other)
        for name in set(one) - {"seconds"}:
            assert other[name] == pytest.approx(one[name], rel=1e-5)
    first, second = (load_file(folder / "weights.safetensors") for folder in (alone, shared))
    assert set(first) == set(second)
    for name, one in first.items():
        torch.testing.assert_close(second[name], one, rtol=1e-3, atol=2e-5)


def test_two_processes_train_as_one_does_with_few_pictures(given, tmp_path):
    options = {"pictures": str(given / "pictures.npz")}
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    distributed.run(distributed.Plan.model_validate(plan(given, alone, **options)))
    (tmp_path / "plan.json").write_text(json.dumps(plan(given, shared, **options)))
    torchrun(tmp_path / "plan.json")
    assert "picture" in read_log(alone)[0]
    shown = distributed._pictures(given / "pictures.npz", torch.device("cpu"))
    made = graph_store.open_graph(given / "graph")
    among = np.flatnonzero(made.degrees >= 2)
    among = among[among >= 20]
    halves = set()
    for i in range(STEPS):
        rng = np.random.default_rng([3, i])
        drawn = train.draw(made, among, 8, rng)
        has = train.pick(shown, drawn.users.numpy(), rng)[1]
        halves.add((has[:4].any().item(), has[4:].any().item()))
    assert halves == {(a, b) for a in (True, False) for b in (True, False)}  # all cases came up
    assert_same(alone, shared)
    assert shared.joinpath("rank1").is_dir() and not shared.joinpath("rank1", "weights.safetensors").exists()


def test_two_processes_take_up_what_one_had_begun(given, tmp_path):
    """A run stopped at step 60 of 100 goes on with two processes, other negatives and attention."""
    training = {"every": 30, "negatives": "sampled", "batch": 16}
    options = {"encoder": "GATv2", "options": {"hidden": 16, "heads": 2}, "training": training}
    shared = tmp_path / "shared"
    begun = distributed.Plan.model_validate(plan(given, shared, **options))

    def stop(i, _):
        if i == 75:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distributed.run(begun.model_copy(update={"training": begun.training | {"on_step": stop}}))
    assert torch.load(shared / "checkpoint.pt", weights_only=True)["step"] == 60
    # left over from another run: the second process must not take it up
    (shared / "rank1").mkdir()
    (shared / "rank1" / "checkpoint.pt").write_bytes(b"not this one")
    alone = tmp_path / "alone"
    distributed.run(distributed.Plan.model_validate(plan(given, alone, **options)))
    (tmp_path / "plan.json").write_text(json.dumps(plan(given, shared, **options)))
    two_processes(tmp_path / "plan.json")
    first, second = (load_file(folder / "weights.safetensors") for folder in (alone, shared))
    for name, one in first.items():
        torch.testing.assert_close(second[name], one, rtol=1e-3, atol=1e-4)


def test_weights_make_the_model_again(given, tmp_path):
    options = {"training": {"steps": 3}, "encoder": "GATv2", "options": {"hidden": 8, "heads": 2}}
    distributed.run(distributed.Plan.model_validate(plan(given, tmp_path / "out", **options)))
    saved = load_file(tmp_path / "out" / "weights.safetensors")
    features = torch.from_numpy(np.load(given / "features.npy"))
    model = models.Inductive(GATv2Encoder(features.shape[1], hidden=8, heads=2), features, torch.ones(2, 2))
    model.load_state_dict(saved)
    made = graph_store.open_graph(given / "graph")
    scale = models.edge_scale(graph.messages(made, torch.arange(300)))
    torch.testing.assert_close(model.scale, scale)
    assert model.users(made, torch.arange(5)).isfinite().all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"encodr": "GATv2"}, "encodr"), ({"training": None}, "training"), ({"graph": 5}, "graph")],
)
def test_a_plan_with_an_unknown_or_bad_entry_names_it(given, tmp_path, wrong, said, monkeypatch):
    bad = plan(given, tmp_path / "out") | wrong
    (tmp_path / "plan.json").write_text(json.dumps(bad))
    monkeypatch.setattr(sys, "argv", ["distributed", str(tmp_path / "plan.json")])
    with pytest.raises(ValidationError, match=said):
        distributed.main()
    assert not Path(tmp_path / "out").exists()


def test_an_unknown_option_of_training_is_named(given, tmp_path):
    bad = plan(given, tmp_path / "out", training={"temprature": 0.1})
    with pytest.raises(TypeError, match="temprature"):
        distributed.run(distributed.Plan.model_validate(bad))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"encoder": "GIN"}, r"encoder 'GIN'; expected one of \['GATv2', 'GraphSAGE'\]"),
        ({"training": {"steps": 1, "negatives": "all"}}, "negatives 'all'; expected one of"),
    ],
)
def test_a_plan_of_what_there_is_not_says_what_there_is(given, tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        distributed.run(distributed.Plan.model_validate(plan(given, tmp_path / "out") | wrong))


def test_the_command_wants_one_plan(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["distributed"])
    with pytest.raises(SystemExit, match="expected one, the plan's file"):
        distributed.main()
