"""Processes of the benchmark: how they are started and stopped, and what the kernel says of them."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

# Where Debian has its servers; not on everybody's PATH.
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def start(command, folder, name, ending, how=signal.SIGTERM, **options):
    """Starts a server in a session of its own, so that Ctrl-C reaches this program alone; `ending` stops it.

    Its log is NAME.log in the folder. If this program is killed, the kernel stops the server.
    """
    guard = ["setpriv", "--pdeathsig", "TERM", "--"]
    with open(folder / f"{name}.log", "ab") as log:
        options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log} | options
        environment = options.pop("env", os.environ) | {"PATH": PATH}
        process = subprocess.Popen(
            guard + [str(word) for word in command], start_new_session=True, env=environment, **options
        )
    ending.callback(stop, process, how)
    return process


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listening_socket(path):
    """A unix socket for processes that inherit it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1024)
    return listener


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(pid):
    """The living children of a process."""
    found = []
    with contextlib.suppress(OSError):
        for file in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in file.read_text().split()]
    return sorted(found)


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


def cpu_microseconds(pids):
    """What the processes have used so far, in user and kernel mode."""
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            sys.exit(f"process {pid} ended while it was measured")
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1_000_000 / os.sysconf("SC_CLK_TCK")


def private_kilobytes(pid):
    """The memory that the process shares with no other. Without any it has ended, which is the end of this one, too."""
    text = ""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    used = sum(int(number) for number in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.MULTILINE))
    if used == 0:
        sys.exit(f"process {pid} did not live until the end")
    return used


def output(*command, **options):
    """What a command prints; its failure is the end."""
    environment = os.environ | {"PATH": PATH}
    options = {"capture_output": True, "text": True, "env": environment} | options
    finished = subprocess.run([str(word) for word in command], check=False, **options)
    if finished.returncode != 0:
        sys.exit(f"{command[0]} failed ({finished.returncode}):\n{(finished.stdout or '') + (finished.stderr or '')}")
    return (finished.stdout or "").strip()
