"""The proxy score: the same for a query whatever else is asked, from any model; the published form and the miniature."""

import json
from functools import partial

import numpy as np
import pytest
import torch
import transformers
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.special import softmax

from backends import tiny_models
from personalab.backends import clip
from personalab.baselines.viper import cosine_difference, miniature, proxy, published
from personalab.sources import ROOT

RNG = np.random.default_rng(0)
LIKED, DISLIKED, QUERIES = (RNG.normal(size=(n, 6)) for n in (8, 8, 5))


def remembering(seen: list):
    """A model that keeps what it was shown and whose logits depend on all of it, in order."""

    def model(pictures):
        seen.append(pictures)
        weights = np.linspace(0.1, 1, len(pictures))
        return float(weights @ np.stack(pictures)[:, 0]), float(weights @ np.stack(pictures)[:, 1])

    return model


# ---- any model


def test_context_alternates_disliked_and_liked_and_the_query_is_last():
    seen: list = []
    scores = proxy(remembering(seen), LIKED, DISLIKED, QUERIES)
    assert len(seen) == 5 and all(len(one) == 17 for one in seen)
    for query, shown in zip(QUERIES, seen, strict=True):
        assert (np.stack(shown[0:16:2]) == DISLIKED).all() and (np.stack(shown[1:16:2]) == LIKED).all()
        assert (shown[16] == query).all()
    model = remembering([])
    assert scores == pytest.approx([softmax(model(shown))[0] for shown in seen], abs=1e-12)


@given(st.permutations(range(5)))
def test_the_order_of_the_queries_changes_no_score(order):
    model = remembering([])
    together = proxy(model, LIKED, DISLIKED, QUERIES)
    assert (proxy(model, LIKED, DISLIKED, QUERIES[list(order)]) == together[list(order)]).all()
    assert [proxy(model, LIKED, DISLIKED, [query])[0] for query in QUERIES] == together.tolist()


def test_the_context_is_not_touched():
    liked, disliked = list(LIKED), list(DISLIKED)
    proxy(remembering([]), liked, disliked, QUERIES)
    assert len(liked) == len(disliked) == 8
    assert (np.stack(liked) == LIKED).all() and (np.stack(disliked) == DISLIKED).all()


@pytest.mark.parametrize("liked, disliked", [(8, 7), (0, 0), (3, 8)])
def test_unequal_or_empty_contexts_are_errors(liked, disliked):
    with pytest.raises(ValueError, match=f"got {liked} liked and {disliked} disliked"):
        proxy(remembering([]), LIKED[:liked], DISLIKED[:disliked], QUERIES)


def test_no_queries_no_scores_and_extreme_logits_stay_finite():
    assert proxy(remembering([]), LIKED, DISLIKED, []).shape == (0,)
    assert proxy(lambda _: (1e4, -1e4), LIKED, DISLIKED, QUERIES).tolist() == [1.0] * 5


def test_cosine_difference_is_the_mean_over_pairs():
    rows = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (LIKED, DISLIKED, QUERIES)]
    wanted = [np.mean([q @ x for x in rows[0]]) - np.mean([q @ x for x in rows[1]]) for q in rows[2]]
    assert cosine_difference(*rows) == pytest.approx(wanted, abs=1e-12)


# ---- the published form


@pytest.fixture(scope="module")
def tiny_card(tmp_path_factory):
    """A card of a random Idefics2 and a random adapter, saved as the published ones are."""
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    root = tmp_path_factory.mktemp("idefics2")
    marks = ["<unk>", "<s>", "</s>", "<pad>", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    vocabulary = {piece: i for i, piece in enumerate([*marks, *tiny_models.LETTERS])}
    bytewise = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bytewise, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=marks[4:],
    )  # fmt: skip
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = transformers.Idefics2ForConditionalGeneration(
        transformers.Idefics2Config(
            image_token_id=5,
            vision_config=small | {"image_size": 32, "patch_size": 8},
            perceiver_config={
                "hidden_size": 16, "resampler_n_latents": 3, "resampler_depth": 1, "resampler_n_heads": 2,
                "resampler_head_dim": 8, "num_key_value_heads": 1,
            },
            text_config=small
            | {"model_type": "mistral", "vocab_size": len(vocabulary), "num_key_value_heads": 1, "pad_token_id": 3},
        )
    )  # fmt: skip
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(root / "base")
    tokenizer.save_pretrained(root / "base")
    transformers.Idefics2ImageProcessorPil().save_pretrained(root / "base")
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(root / "adapter")
    card = {
        "kind": "viper-proxy", "model": str(root / "base"), "adapter": str(root / "adapter"),
        "size": {"longest_edge": 32, "shortest_edge": 24},
    }  # fmt: skip
    (root / "card.yaml").write_text(yaml.safe_dump(card))
    return root / "card.yaml", adapted.eval(), tokenizer


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)


def test_the_published_form_reads_the_adapter_and_asks_word_for_word(tiny_card, pictures):
    """Against one forward pass put together from the released question, with the adapter that was saved."""
    path, adapted, tokenizer = tiny_card
    model = published.load(str(path))
    scores = proxy(model, pictures[:2], pictures[2:4], pictures[4:])
    shown = [pictures[i] for i in (2, 0, 3, 1, 4)]
    image = "<fake_token_around_image>" + 3 * "<image>" + "<fake_token_around_image>"
    text = "".join(
        f"User:{image} Score for this image?<end_of_utterance>\nAssistant: {answer}"
        for answer in ["-<end_of_utterance>\n", "+<end_of_utterance>\n"] * 2 + [""]
    )
    processor = transformers.Idefics2ImageProcessorPil(
        size={"longest_edge": 32, "shortest_edge": 24}, do_image_splitting=False
    )
    inputs = processor([[Image.fromarray(one) for one in shown]], return_tensors="pt")
    with torch.inference_mode():
        logits = adapted(**tokenizer(text, return_tensors="pt"), **inputs).logits[0, -1]
    signs = [tokenizer.convert_tokens_to_ids(sign) for sign in "+-"]
    assert scores[0] == pytest.approx(torch.softmax(logits[signs], 0)[0].item(), abs=1e-5)
    with adapted.disable_adapter(), torch.inference_mode():
        bare = adapted(**tokenizer(text, return_tensors="pt"), **inputs).logits[0, -1]
    assert abs(torch.softmax(bare[signs], 0)[0].item() - scores[0]) > 1e-4, "the adapter counts"
    assert (proxy(model, pictures[:2], pictures[2:4], pictures[4:][::-1]) == scores[::-1]).all()


def test_a_card_of_another_kind_and_an_adapter_that_is_not_safe_are_refused(tiny_card, tmp_path):
    with pytest.raises(ValueError, match="kind 'clip'; expected 'viper-proxy'"):
        published.load("mini-clip-b")
    card = yaml.safe_load(tiny_card[0].read_text())
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_model.bin").write_bytes(b"")
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(card | {"adapter": str(tmp_path / "adapter")}))
    with pytest.raises(ValueError, match="has no adapter_model"):
        published.load(str(path))


def test_the_card_of_the_published_weights_pins_both():
    card = yaml.safe_load((ROOT / "params/backends/viper-proxy.yaml").read_text())
    assert all(len(card[key]) == 40 for key in ("revision", "adapter_revision"))
    assert card["adapter"] == "EPFL-VILAB/Metric-ViPer"


# ---- the miniature


def tastes(people: int, seed: int, width: int = 12) -> np.ndarray:
    """Unit rows about a direction of each person's own."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(people, 1, width)) + 0.5 * rng.normal(size=(people, 12, width))
    return (rows / np.linalg.norm(rows, axis=2, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def trained(one_thread, tmp_path_factory) -> miniature.MiniProxy:
    return miniature.train_proxy(tastes(200, 0), tmp_path_factory.mktemp("proxy"), steps=40)


def test_training_learns_what_strangers_would_like(trained):
    unseen = tastes(20, 1)
    right = miniature.preferred(partial(proxy, trained.logits), unseen, np.random.default_rng(0))
    assert right.shape == (20,) and right.mean() > 0.8
    none = miniature.preferred(lambda a, b, queries: np.zeros(len(queries)), unseen, np.random.default_rng(0))
    assert (none == 0.5).all(), "ties count one half"


def test_who_likes_what_another_dislikes_gets_the_opposite_score(trained):
    rows = tastes(3, 2)
    one, other = (
        proxy(trained.logits, *sides, rows[2]) for sides in ((rows[0], rows[1]), (rows[1], rows[0]))
    )
    assert one == pytest.approx(1 - other, abs=1e-6)
    same = proxy(trained.logits, rows[0], rows[0], rows[2])
    assert same == pytest.approx(np.full(12, 0.5), abs=1e-6), "the same pictures on both sides say nothing"


def test_order_within_the_context_means_nothing_to_the_miniature(trained):
    rows = tastes(3, 3)
    turned = proxy(trained.logits, rows[0][::-1], rows[1][::-1], rows[2])
    assert turned == pytest.approx(proxy(trained.logits, rows[0], rows[1], rows[2]), abs=1e-5)


def test_the_same_seed_gives_the_same_weights(tmp_path):
    data = tastes(20, 0)
    whole = miniature.train_proxy(data, tmp_path / "a", steps=4, seed=3)
    again = miniature.train_proxy(data, tmp_path / "b", steps=4, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    other = miniature.train_proxy(data, tmp_path / "c", steps=4, seed=4)
    assert not torch.equal(next(whole.parameters()), next(other.parameters()))


def test_a_saved_proxy_comes_back_but_for_half_precision(trained, tmp_path):
    miniature.save(trained, tmp_path)
    back, rows = miniature.load(tmp_path), tastes(3, 4)
    assert json.loads((tmp_path / "config.json").read_text())["width"] == 12
    assert proxy(back.logits, rows[0], rows[1], rows[2]) == pytest.approx(
        proxy(trained.logits, rows[0], rows[1], rows[2]), abs=1e-2
    )


def test_galleries_depend_on_seed_and_person_alone():
    def mean_colours(pictures):
        return np.stack([picture.mean((0, 1)) for picture in pictures])

    three = miniature.galleries(mean_colours, 3, 2, seed=5)
    assert three.shape == (3, 2, 3) and (miniature.galleries(mean_colours, 2, 2, seed=5) == three[:2]).all()
    assert not (miniature.galleries(mean_colours, 2, 2, seed=6) == three[:2]).any()


def test_the_published_miniature_beats_plain_cosines_on_people_it_never_saw():
    unseen = miniature.galleries(clip.load("mini-clip-b").images, 20, 14, seed=7)
    shares = [
        miniature.preferred(score, unseen, np.random.default_rng(0)).mean()
        for score in (partial(proxy, miniature.load().logits), cosine_difference)
    ]
    assert shares[0] > 0.88 and shares[0] > shares[1]


@pytest.mark.parametrize("shape", [(5, 8, 4), (1, 12, 4), (5, 12)])
def test_too_few_pictures_or_people_are_errors(shape, tmp_path):
    with pytest.raises(ValueError, match="more than 8 pictures"):
        miniature.train_proxy(np.ones(shape), tmp_path)
