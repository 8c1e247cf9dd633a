"""Asynchronous requests from any thread, each with a deadline on the clock.

A timeout of a blocking read starts anew with every byte; this one does not. All requests share one event loop in a
thread of its own, because a notebook already has one running in the main thread.
"""

import asyncio
import threading
from collections.abc import Awaitable
from concurrent.futures import Future
from functools import cache
from typing import Any


def start(request: Awaitable[Any], seconds: float) -> Future:
    """Run the request; the future holds its result or, once `seconds` have passed, a TimeoutError. Cancelling the
    future breaks the request off."""
    return asyncio.run_coroutine_threadsafe(_within(request, seconds), _loop())


_making = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    with _making:  # `cache` alone would let threads that come first together make a loop each
        return _made()


@cache
def _made() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="requests", daemon=True).start()
    return loop


async def _within(request: Awaitable[Any], seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await request
    except TimeoutError:
        raise TimeoutError(f"no whole answer within {seconds} s") from None
