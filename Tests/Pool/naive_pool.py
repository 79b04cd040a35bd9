"""What cartd is compared with: the classic loop around libfcgi's accept, pre-forked."""

import os

from harness.pool import Pool
from harness.processes import PATIENCE, wait_until

PROGRAM = os.environ.get("CART_TEST_NAIVE_POOL", "")


class Naive(Pool):
    def __init__(self, workers=2, maximum_requests=0):
        super().__init__()
        self.run([PROGRAM, self.socket, workers, maximum_requests])
        self.nginx = self.add_nginx()
        wait_until(lambda: len(self.children()) == workers, PATIENCE, "the workers")
