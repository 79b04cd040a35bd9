"""What goes on in other threads while a test does something."""

import contextlib
import threading
import time


@contextlib.contextmanager
def background(body, threads=1):
    """Runs `body(stopping, number)` in threads of its own until the block ends; what one throws is thrown here."""
    stopping, failures = threading.Event(), []

    def run(number):
        try:
            body(stopping, number)
        except Exception as error:  # it must not go unnoticed
            failures.append(error)

    running = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in running:
            thread.join(60)
    if failures:
        raise failures[0]


def pace(stopping, per_second):
    """Yields so often until it is to stop; who is late is not hurried."""
    while not stopping.is_set():
        began = time.monotonic()
        yield
        stopping.wait(max(0.0, began + 1 / per_second - time.monotonic()))


def again_and_again(action):
    """Does it one time after the other until the block ends."""

    def run(stopping, _):
        while not stopping.is_set():
            action()

    return background(run)
