"""One loop for all threads, and deadlines on the clock."""

import asyncio
import sys
import threading
import time

import pytest

from personalab.backends import deadline


def test_threads_that_come_first_together_share_one_loop():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            deadline._made.cache_clear()
            gate, found = threading.Barrier(16), []
            waiting = [
                threading.Thread(target=lambda g=gate, f=found: (g.wait(), f.append(deadline._loop())))
                for _ in range(16)
            ]
            [thread.start() for thread in waiting]
            [thread.join() for thread in waiting]
            assert len(found) == 16 and len(set(map(id, found))) == 1
    finally:
        sys.setswitchinterval(before)


def test_a_request_ends_at_its_deadline_and_one_in_time_is_answered():
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no whole answer within 0.2 s"):
        deadline.start(asyncio.sleep(30), 0.2).result()
    assert time.monotonic() - begun < 10
    assert deadline.start(asyncio.sleep(0, "said"), 30).result() == "said"
