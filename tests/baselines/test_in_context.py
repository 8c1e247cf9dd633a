"""The gallery as one picture that a model is shown: Kontext in its true format, services that a fake one stands for."""

from typing import Any

import diffusers
import numpy as np
import pytest

from backends import tiny_models
from personalab.backends import pipelines
from personalab.backends.budget import CapReached
from personalab.backends.chat import Answer
from personalab.backends.image import ImageBackend
from personalab.backends.pictures import Request
from personalab.baselines import gpt, grid, in_context, makers
from personalab.baselines.makers import Backbone, Material

TWO = [Request("a boat", 1), Request("a lamp", 2)]

pytestmark = pytest.mark.usefixtures("one_thread")


def person(n: int = 4, seed: int = 0) -> Material:
    return Material("ann", list(np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), np.uint8)))


class Service:
    """Keeps what it was asked; draws the prompt's length as a shade of grey."""

    def __init__(self):
        self.asked: list[Request] = []

    def __call__(self, requests: list[Request]) -> list[np.ndarray]:
        self.asked += requests
        return [np.full((4, 4, 3), len(request.prompt) % 256, np.uint8) for request in requests]


class Reader:
    """A model that sees: answers by plan, one per distinct base prompt."""

    def __init__(self, *texts: str | None):
        self.card = {"model": "m", "kind": "openai-chat"}
        self.texts, self.chats = list(texts), []

    def complete(self, chats: list[Any]) -> list[Answer]:
        self.chats += chats
        return [Answer(text, None if text else "refused") for text, _ in zip(self.texts, chats, strict=False)]


@pytest.fixture
def service() -> Backbone:
    return Backbone("paid", {"kind": "openai-images", "model": "m", "batch_size": 4}, Service())


def test_kontext_edits_the_grid_and_another_grid_is_another_picture(tmp_path):
    diffusers.FluxKontextPipeline(**tiny_models.flux().components).save_pretrained(tmp_path / "kontext")
    card = tiny_models.pipeline_card("flux", tmp_path / "kontext", batch_size=1)
    card["call"] |= {"max_area": 256, "_auto_resize": False}
    weights = Backbone("kontext", card, pipelines.load(card), tmp_path / "store")
    one, other = (in_context.shown(weights, person(seed=seed), columns=2, side=8) for seed in (0, 1))
    pictures = one(TWO)
    assert (pictures[0] != other(TWO)[0]).any() and one.rendered == 2
    plain = ImageBackend("kontext", card, pipelines.renderer(card))
    whole = grid.grid_picture(person().liked, 2, 8)
    assert (plain(grid.edit_requests(TWO, whole))[1] == pictures[1]).all()
    again = in_context.shown(weights, person(), columns=2, side=8)
    assert (again(TWO)[0] == pictures[0]).all() and (again.rendered, again.found) == (0, 2)


@pytest.mark.parametrize(("n", "side"), [(1, 1), (5, 2), (30, 5)])
def test_a_service_gets_grid_and_instruction(n, side, service):
    made = in_context.shown(service, person(n), "styled", columns=5, side=8)(TWO)
    shown = service.pipeline.asked
    assert [len(picture) for picture in made] == [4, 4]
    assert all(one.image.shape == (8 * side, 8 * side, 3) for one in shown)
    assert [one.prompt for one in shown] == [
        one.prompt for one in gpt.instructed(TWO, shown[0].image, "styled")
    ]


def test_the_instruction_is_part_of_the_key(service, tmp_path):
    kept = service._replace(store=tmp_path)
    for variant, times in (("image", 2), ("styled", 4), ("", 6), ("image", 6)):
        in_context.shown(kept, person(), variant, side=8)(TWO)
        assert len(service.pipeline.asked) == times


def test_what_a_model_wrote_is_drawn_without_the_grid_and_what_it_did_not_write_is_missing(service):
    reader = Reader("mist, boats, dawn light", None)
    backend = in_context.described(service, person(), reader, side=8)
    found = backend(TWO)
    assert [request.prompt for request in service.pipeline.asked] == ["mist, boats, dawn light"]
    assert service.pipeline.asked[0].image is None
    assert found[0] is not None and found[1] is None and dict(backend.refused) == {"refused": 1}
    assert all(len(chat.images) == 1 for chat in reader.chats)


def test_without_pictures_nobody_is_asked(service):
    empty = Material("ann", [])
    for backend in (
        in_context.shown(service, empty),
        in_context.described(service, empty, Reader("a, b, c")),
    ):
        assert backend(TWO) == [None, None]
    assert not service.pipeline.asked


def test_a_service_by_its_card_asks_nothing_beyond_the_cap(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "nobodys")
    paid = in_context.service("gpt-image", cap=0.0)
    assert paid.card["dollars_per_image"] > 0
    with pytest.raises(CapReached):
        makers.plain(paid)([Request("a", 1)])
