"""A paid endpoint spoken to with care: the openai SDK with its own retries off, and ours on top.

Faults that pass (429, 5xx, resets, timeouts, answers of the wrong form) are tried again a bounded number of
times, waiting as long as Retry-After asks but no longer than a cap. Faults that stay (a bad key, an exhausted
quota, a bad request) stop at once. The key comes from the environment and is never printed.
"""

import base64
import io
import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openai
import tenacity
from PIL import Image

#: where a card without base_url leads, whatever OPENAI_BASE_URL says: the card names what was asked
OPENAI = "https://api.openai.com/v1"
#: seconds; a service may ask for longer, we do not wait longer
LONGEST_WAIT = 30.0
ATTEMPTS = 6
#: error codes of a 400 that judges the content, not the form of the request
_FORBIDDEN = ("moderation_blocked", "content_policy_violation")


class MalformedAnswer(RuntimeError):
    """The endpoint answered 200 with something that is not the promised answer."""


class ContentRefused(RuntimeError):
    """The service will not make this picture, however often it is asked."""


class Service:
    """One endpoint of one card: `model`, optional `base_url`, `timeout` (seconds), `key_variable`."""

    def __init__(self, card: dict[str, Any]):
        variable = card.get("key_variable", "OPENAI_API_KEY")
        key = os.environ.get(variable, "").strip()
        if not key:
            raise RuntimeError(f"{card['model']} needs a key in the environment: export {variable}=...")
        if not key.isascii() or any(map(str.isspace, key)):
            raise RuntimeError(f"{variable} holds a space or a letter outside ASCII; expected a key alone")
        self._model = card["model"]
        self._client = openai.OpenAI(
            api_key=key,
            base_url=card.get("base_url") or OPENAI,
            timeout=card.get("timeout", 60),
            max_retries=0,
        )

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """n texts to (n, d). Raises openai.AuthenticationError and the like at once, others after retries."""
        return self._asked(self._embed_once, list(texts))

    def image(self, prompt: str, image: bytes | None = None, **settings: Any) -> np.ndarray:
        """A picture (h, w, 3) uint8 of the prompt, or `image` (a PNG) changed by it.

        Args:
            settings: further fields of the request, such as `size` and `quality`.

        Raises:
            ContentRefused: the service's policy forbids the prompt or the picture; others as `embed`.
        """
        return self._asked(self._image_once, prompt, image, settings)

    def _asked(self, call: Callable[..., np.ndarray], *arguments: Any) -> np.ndarray:
        try:
            return _retrying()(call, *arguments)
        except Exception as error:  # some services quote the key they refuse
            error.args = tuple(str(part).replace(self._client.api_key, "<key>") for part in error.args)
            if isinstance(error, openai.APIError):
                error.message, error.body = str(error), None
            if isinstance(error, openai.BadRequestError) and error.code in _FORBIDDEN:
                raise ContentRefused(f"{self._model} refused the content ({error.code})") from None
            raise

    def _embed_once(self, texts: list[str]) -> np.ndarray:
        answer = self._client.embeddings.create(model=self._model, input=texts, encoding_format="float")
        try:
            rows = sorted(answer.data, key=lambda row: row.index)
            places = [row.index for row in rows]
            vectors = np.array([row.embedding for row in rows], np.float32)
        except (AttributeError, TypeError, ValueError) as error:
            raise MalformedAnswer(f"embedding answer without usable data: {error}") from None
        if vectors.ndim != 2 or places != list(range(len(texts))) or not np.isfinite(vectors).all():
            raise MalformedAnswer(
                f"asked for {len(texts)} embeddings, got an array of shape {vectors.shape}, numbered {places[:5]}..., "
                "or numbers that are not finite"
            )
        return vectors

    def _image_once(self, prompt: str, image: bytes | None, settings: dict[str, Any]) -> np.ndarray:
        if image is None:
            answer = self._client.images.generate(model=self._model, prompt=prompt, n=1, **settings)
        else:
            file = ("input.png", image, "image/png")
            answer = self._client.images.edit(model=self._model, prompt=prompt, n=1, image=file, **settings)
        try:
            (picture,) = answer.data
            data = base64.b64decode(picture.b64_json, validate=True)
            return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        except (AttributeError, TypeError, ValueError, OSError, SyntaxError) as error:
            kind = type(error).__name__
            raise MalformedAnswer(f"image answer without one readable b64_json picture ({kind})") from None


def passes(error: BaseException) -> bool:
    """Whether another attempt can help."""
    if isinstance(error, openai.RateLimitError):
        return getattr(error, "code", None) != "insufficient_quota"
    if isinstance(error, openai.APIStatusError):
        return error.status_code >= 500 or error.status_code in (408, 409)
    return isinstance(error, (openai.APIError, MalformedAnswer, ValueError))


def wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt: Retry-After if given, else doubling from 0.5, jittered; capped."""
    error = state.outcome.exception() if state.outcome else None
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        asked = float(headers["retry-after"])
    except (KeyError, ValueError):
        asked = 0.5 * 2 ** (state.attempt_number - 1) * random.uniform(0.5, 1.5)
    return min(max(0.0, asked), LONGEST_WAIT)  # in this order a nan counts as 0


def _retrying() -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=wait,
        reraise=True,
    )
