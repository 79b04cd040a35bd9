"""Processes: how they are started and ended, and what the kernel says of them."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

# Debian has servers where not everybody's PATH leads.
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
# No answer in a test may be waited for longer than that.
PATIENCE = float(os.environ.get("CART_TEST_PATIENCE", "20"))


def wait_until(condition, seconds, what):
    """Asks until it is true, for what no event tells; returns the answer, or throws TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.004)
    return answer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, log, env=None, at_end="TERM", **options):
    """A server whose output goes to the file `log`. Ctrl-C reaches this program alone; when it ends, however it does,
    the kernel sends the server the signal `at_end`."""
    guard = ["setpriv", "--pdeathsig", at_end, "--"]
    with open(log, "ab") as output:
        options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output} | options
        environment = (os.environ if env is None else env) | {"PATH": PATH}
        command = guard + [str(word) for word in command]
        return subprocess.Popen(command, env=environment, start_new_session=True, **options)


def end(process, how=signal.SIGTERM, seconds=PATIENCE):
    """In order, or else at once; the status."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def children(pid):
    """Those of all its threads, in order."""
    found = []
    for path in pathlib.Path("/proc").glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return sorted(found)


def command_line(pid):
    """Its words; none if it has ended."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    return []


def children_with(pid, word):
    """The children that were started with this word."""
    return [child for child in children(pid) if word in command_line(child)]


def stat(pid):
    """What `/proc/PID/stat` says after the name: state, parent…; nothing if it has ended."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return []


def is_alive(pid):
    """A zombie is not."""
    return (stat(pid) or ["X"])[0] not in "ZX"


def private_bytes(pid):
    """The memory that it shares with no other."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(number) for number in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M)) * 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def signal_own(pid, number, ancestors):
    """Sends a signal to a process that is one of `ancestors` or descends from one, and to nobody else: a pid may be
    another's by now, and 0 or -1 would be everybody."""
    if not isinstance(pid, int) or pid <= 1:
        return
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if _descends(pid, ancestors):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _descends(pid, ancestors):
    while pid > 1:
        if pid in ancestors:
            return True
        pid = int((stat(pid) or [0, 0])[1])
    return False
