"""Redis's clock is set while it runs, as by an operator or an NTP that has been away for long."""

import os
import shutil
import struct
import subprocess

import wire
from fleet import Violation, demand
from servers import end

HOUR = 3600
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock.c")


class Clock:
    """The clock of a Redis that is started with it."""

    def __init__(self, folder):
        self.file, library = os.path.join(folder, "clock"), os.path.join(folder, "clock.so")
        compiler = shutil.which("clang") or "cc"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE], check=True)
        self.environment = {"LD_PRELOAD": library, "CLOCK_FILE": self.file}
        with open(self.file, "wb") as file:
            file.write(struct.pack("q", 0))

    def set(self, seconds):
        """How far it is ahead of the machine's from here on."""
        with open(self.file, "r+b", buffering=0) as file:
            file.write(struct.pack("q", seconds))


def _time(redis):
    return int(redis("TIME")[0])


def clock_back(fleet):
    """Redis's clock is put back by an hour while a cart is held by one who has died: nobody waits for an hour, nothing is
    lost, and PostgreSQL goes on to be told of everything; then it is put right."""
    user, other, (first, second, third) = fleet.user(), fleet.user(), fleet.skus(3)
    clock = Clock(fleet.folder)
    end(fleet.redis.process)
    fleet.redis.start(environment=clock.environment)
    fleet.tell_victims()
    fleet.first.add(first, user=user)
    fleet.first.kept(user=user)
    fleet.flush()
    with wire.Redis(fleet.redis.socket) as redis:
        fleet.strike("redis", "restore.token", "after", "kill")
        try:
            fleet.first.ask("GET", "/v1/cart", user=user)
            demand(False, "the worker was not killed")
        except wire.Cut:
            fleet.first.await_death()
        # Dirty before, and of an hour later than all that comes.
        fleet.second.add(first, user=other)
        before = _time(redis)
        clock.set(-HOUR)
        demand(_time(redis) < before, "the clock is as it was: the schedule is wrong")
    try:
        for sku in (second, third):
            fleet.second.add(sku, user=user)
            fleet.second.add(sku, user=other)
        lines = fleet.second.lines(user=user)
    except wire.Cut as error:
        raise Violation("no answer while the clock is back") from error
    demand(lines == {first: 1, second: 1, third: 1}, f"while the clock is back: {lines}")
    fleet.rest()
    clock.set(0)
    fleet.second.must("DELETE", f"/v1/cart/lines/{second}", user=user)
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1, third: 1}, f"when the clock is right again: {lines}")
    fleet.audit()


SCHEDULES = {"clock-back": clock_back}
