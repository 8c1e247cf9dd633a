"""A chat model small enough to be trained before a test, and what it has learnt to be asked."""

import itertools
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from personalab.backends.chat import Chat
from personalab.world.train import language

#: tokens that prompt and answer have together, and that an answer has
WINDOW, LIMIT = 256, 24
PLACES = ["on the quay", "under the old bridge", "by a very long and empty road in the hills", "at home"]


def questions() -> list[Chat]:
    """24 chats, some with a system message, all of different length."""
    colours, things = (
        ["red", "dark green", "blue", "pale yellow"],
        ["boat", "tram", "kite", "lamp", "bicycle", "door"],
    )
    return [
        Chat(
            ((("system", "Be brief."),) if i % 2 else ())
            + (("user", f"Draw a {colour} {thing}" + "." * (i % 5)),)
        )
        for i, (colour, thing) in enumerate(itertools.product(colours, things))
    ]


def small_model(folder: Path) -> Path:
    """A Qwen2 of 64 dimensions that has learnt, in some seconds, to answer the questions in one of several ways."""
    rng = np.random.default_rng(0)
    lessons = []
    for chat in questions() * 12:
        asked = chat.messages[-1][1].removeprefix("Draw a ").rstrip(".")
        place = rng.choice(PLACES, p=[0.4, 0.3, 0.2, 0.1])
        lessons.append(
            (chat.messages, f"A {asked}, {place}, in {rng.choice(['rain', 'fog'], p=[0.6, 0.4])}.")
        )
    texts = [content for messages, _ in lessons for _, content in messages] + [
        answer for _, answer in lessons
    ]
    tokenizer = language.train_tokenizer(texts, 400, WINDOW)
    model = language.new_model(tokenizer, width=64, layers=2)
    examples = [language.encode(tokenizer, *lesson) for lesson in lessons]
    with threadpool_limits(1):
        language.train(model, examples, folder / "training", steps=300, tokens=1024)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"
