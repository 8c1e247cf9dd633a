"""A paid endpoint spoken to with care: the openai SDK with its own retries off, and ours on top.

Faults that pass (429, 5xx, resets, timeouts, answers of the wrong form) are tried again a bounded number of
times, waiting as long as Retry-After asks but no longer than a cap. Faults that stay (a bad key, an exhausted
quota, a bad request) stop at once. An attempt has a deadline on the clock: a server that sends a byte now and then
holds nobody up. The key comes from the environment and is never printed. Calls may come from several threads.
"""

import base64
import io
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import openai
import tenacity
from PIL import Image

from . import deadline
from .chat import Usage, encodable

#: where a card without base_url leads, whatever OPENAI_BASE_URL says: the card names what was asked
OPENAI = "https://api.openai.com/v1"
#: seconds; a service may ask for longer, we do not wait longer
LONGEST_WAIT = 30.0
ATTEMPTS = 6
#: of one chat: with nine waits, outages of two minutes are sat out
CHAT_ATTEMPTS = 10
#: error codes of a 400 that judges the content, not the form of the request
_FORBIDDEN = ("moderation_blocked", "content_policy_violation", "content_filter")
#: error codes of a 429 that waiting does not mend
_EXHAUSTED = ("insufficient_quota", "billing_not_active")


class MalformedAnswer(RuntimeError):
    """The endpoint answered 200 with something that is not the promised answer."""


class ContentRefused(RuntimeError):
    """The service will not answer this prompt, however often it is asked."""


class ChatAnswer(NamedTuple):
    """What a chat model said, why it ended ("stop", "length", "content_filter", "refusal"), and what it took."""

    text: str | None
    finish_reason: str
    usage: Usage


class Service:
    """One endpoint of one card: `model`, optional `base_url`, `timeout` (seconds an attempt may take in all),
    `key_variable`, and `key: none` for a server that asks for none."""

    def __init__(self, card: dict[str, Any]):
        self._model = card["model"]
        self._timeout = card.get("timeout", 60)
        self._key = _key(card)
        self._client = openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=card.get("base_url") or OPENAI,
            timeout=self._timeout,
            max_retries=0,
        )
        self._flying: set[Future] = set()
        self._stopped = threading.Event()

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

    def chat(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        meter: Callable[[], AbstractContextManager[Any]] = nullcontext,
        **settings: Any,
    ) -> ChatAnswer:
        """One answer to the messages ({"role", "content"} each, a content being a text or OpenAI's list of parts).

        Args:
            meter: entered around every attempt; may refuse one by raising. If it yields a function, that is called
                with the attempt's Usage.
            settings: further fields of the request, such as `temperature` and `max_tokens`.

        Raises:
            ContentRefused: the service's policy forbids the messages; others as `embed`.
        """
        return self._asked(self._chat_once, list(messages), meter, settings, retrying=self._patiently())

    def stop(self) -> None:
        """No further attempts: who waits for the next one ends with the fault of the last."""
        self._stopped.set()

    def close(self) -> None:
        """`stop`, break off the attempts in flight and close the connections."""
        self.stop()
        for future in list(self._flying):
            future.cancel()
        deadline.start(self._client.close(), self._timeout)

    def _patiently(self) -> tenacity.Retrying:
        stop = tenacity.stop_after_attempt(CHAT_ATTEMPTS) | tenacity.stop_when_event_set(self._stopped)
        return _retrying(stop=stop, sleep=tenacity.sleep_using_event(self._stopped))

    def _asked(
        self, call: Callable[..., Any], *arguments: Any, retrying: tenacity.Retrying | None = None
    ) -> Any:
        try:
            return (retrying or _retrying())(call, *arguments)
        except Exception as error:  # some services quote the key they refuse
            if self._key:
                error.args = tuple(str(part).replace(self._key, "<key>") for part in error.args)
            if isinstance(error, openai.APIError):
                error.message, error.body = str(error), None
            if isinstance(error, openai.BadRequestError) and error.code in _FORBIDDEN:
                raise ContentRefused(f"{self._model} refused the content ({error.code})") from None
            raise

    def _awaited(self, request: Awaitable[Any]) -> Any:
        """The answer to one attempt. Raises TimeoutError once the card's `timeout` has passed, whatever came."""
        future = deadline.start(request, self._timeout)
        self._flying.add(future)
        try:
            return future.result()
        finally:
            future.cancel()  # does nothing unless this thread was interrupted
            self._flying.discard(future)

    def _chat_once(
        self, messages: list[dict[str, Any]], meter: Callable[..., Any], settings: dict[str, Any]
    ) -> ChatAnswer:
        with meter() as charge:
            start = time.perf_counter()
            create = self._client.chat.completions.create
            answer = self._awaited(create(model=self._model, messages=messages, **settings))
            said = _read_chat(answer, time.perf_counter() - start)
            if charge:
                charge(said.usage)
        return said

    def _embed_once(self, texts: list[str]) -> np.ndarray:
        create = self._client.embeddings.create
        answer = self._awaited(create(model=self._model, input=texts, encoding_format="float"))
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
            request = self._client.images.generate(model=self._model, prompt=prompt, n=1, **settings)
        else:
            file = ("input.png", image, "image/png")
            request = self._client.images.edit(model=self._model, prompt=prompt, n=1, image=file, **settings)
        answer = self._awaited(request)
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
        return error.code not in _EXHAUSTED and error.type not in _EXHAUSTED
    if isinstance(error, openai.APIStatusError):
        return error.status_code >= 500 or error.status_code in (408, 409)
    return isinstance(error, (openai.APIError, MalformedAnswer, ValueError, TimeoutError))


def wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt: Retry-After if given, else doubling from 0.5, jittered; capped."""
    error = state.outcome.exception() if state.outcome else None
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        asked = float(headers["retry-after"])
    except (KeyError, ValueError):
        asked = 0.5 * 2 ** (state.attempt_number - 1) * random.uniform(0.5, 1.5)
    return min(max(0.0, asked), LONGEST_WAIT)  # in this order a nan counts as 0


def _retrying(**settings: Any) -> tenacity.Retrying:
    usual = {
        "retry": tenacity.retry_if_exception(passes),
        "stop": tenacity.stop_after_attempt(ATTEMPTS),
        "wait": wait,
        "reraise": True,
    }
    return tenacity.Retrying(**usual | settings)


def _key(card: dict[str, Any]) -> str:
    """The key from the environment; "" where the card says `key: none`."""
    if card.get("key") == "none":
        return ""
    variable = card.get("key_variable", "OPENAI_API_KEY")
    key = os.environ.get(variable, "").strip()
    if not key:
        raise RuntimeError(f"{card['model']} needs a key in the environment: export {variable}=...")
    if not key.isascii() or any(map(str.isspace, key)):
        raise RuntimeError(f"{variable} holds a space or a letter outside ASCII; expected a key alone")
    return key


def _read_chat(answer: Any, seconds: float) -> ChatAnswer:
    try:
        (choice,) = answer.choices
        text, refusal, reason = choice.message.content, choice.message.refusal, choice.finish_reason
        used = answer.usage
        usage = Usage(used.prompt_tokens, used.completion_tokens, seconds) if used else Usage(seconds=seconds)
    except (AttributeError, TypeError, ValueError) as error:
        raise MalformedAnswer(f"chat answer without one usable choice ({type(error).__name__})") from None
    if refusal:
        return ChatAnswer(encodable(str(refusal)), "refusal", usage)
    if not isinstance(text, str) and reason not in ("length", "content_filter"):
        raise MalformedAnswer(f"chat answer that ended with {reason!r} and has no text")
    return ChatAnswer(encodable(text) if isinstance(text, str) else None, str(reason), usage)
