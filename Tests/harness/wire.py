"""The protocols that these tests speak themselves: FastCGI to cartd, RESP to Redis, and PostgreSQL's."""

import json
import socket
import struct

CONNECT_SECONDS = 5


class Cut(Exception):
    """The connection ended, or nothing came in time: whether the request took effect is unknown."""


def reachable(path):
    """A unix socket's path has at most 107 bytes; whoever gives one here has seen to that."""
    assert len(path.encode()) < 108, f"too long for a socket: {path}"
    return path


def connected(path, seconds):
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(seconds)
    try:
        link.connect(reachable(path))
    except OSError:
        link.close()
        raise
    return link


# --- FastCGI ----------------------------------------------------------------------------------------------------------

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def pair(name, value):
    def length(data):
        return bytes([len(data)]) if len(data) < 128 else struct.pack(">I", len(data) | 1 << 31)

    name, value = name.encode(), value.encode()
    return length(name) + length(value) + name + value


class Answer:
    """Status, headers, body and its JSON of one response. Headers are asked for in lower case, or as `http.client` has
    them."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        # A browser's proxy hands on what nginx has compressed.
        is_json = "json" in (headers.get("content-type") or "") and not headers.get("content-encoding")
        self.json = json.loads(body) if body and is_json else None

    @classmethod
    def parsed(cls, output):
        """From what a FastCGI application writes."""
        head, _, body = output.partition(b"\r\n\r\n")
        pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return cls(int(headers.get("status", "200").split()[0]), headers, body)

    @property
    def code(self):
        """Of a problem."""
        return self.json["code"]

    @property
    def is_replayed(self):
        return self.headers.get("idempotent-replayed") == "true"


def request(path, method, uri, body=None, seconds=15, **params):
    """One request on a connection of its own, as a web server would send it. Throws `Cut`."""
    payload = b"" if body is None else json.dumps(body).encode()
    variables = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": uri,
        "QUERY_STRING": uri.partition("?")[2],
        "CONTENT_TYPE": "application/json" if payload else "",
        "CONTENT_LENGTH": str(len(payload)) if payload else "",
        "REQUEST_SCHEME": "http",
        "HTTPS": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CART_USER": "",
    }
    variables.update(params)
    message = record(BEGIN, struct.pack(">HB5x", 1, 0))
    message += record(PARAMS, b"".join(pair(*entry) for entry in variables.items())) + record(PARAMS, b"")
    message += (record(STDIN, payload) if payload else b"") + record(STDIN, b"")
    try:
        with connected(path, seconds) as link:
            link.sendall(message)
            return Answer.parsed(_output(link))
    except (OSError, ValueError) as error:
        raise Cut(repr(error)) from error


def _output(link):
    output, buffer = b"", b""
    while True:
        while len(buffer) >= 8:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", buffer[:8])
            if len(buffer) < 8 + length + padding:
                break
            content, buffer = buffer[8 : 8 + length], buffer[8 + length + padding :]
            if kind == STDOUT:
                output += content
            elif kind == END:
                return output
        chunk = link.recv(65536)
        if not chunk:
            raise Cut("the connection ended")
        buffer += chunk


# --- Redis ------------------------------------------------------------------------------------------------------------


class RedisError(Exception):
    """An error reply."""


class Redis:
    """A plain connection, for looking at what is there. Texts are read as Latin-1, so that no byte is lost."""

    def __init__(self, path, seconds=CONNECT_SECONDS):
        self.link = connected(path, seconds)
        self.file = self.link.makefile("rb")

    def __call__(self, *words):
        self.link.sendall(encoded(words))
        reply = self._read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def together(self, commands):
        """Sends many commands at once; their replies."""
        self.link.sendall(b"".join(encoded(words) for words in commands))
        return [self._read() for _ in commands]

    def close(self):
        self.file.close()
        self.link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("Redis: the connection ended")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind == b"*":
            return [self._read() for _ in range(size)]
        data = self.file.read(size + 2)
        if len(data) < size + 2:
            raise OSError("Redis: the connection ended")
        return data[:-2].decode("latin-1")


def encoded(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


class PostgresError(Exception):
    """An error response."""


class Postgres:
    """One session of a user who needs no password, on which transactions can be left open."""

    def __init__(self, folder, user, database, seconds=60):
        self.link = connected(f"{folder}/.s.PGSQL.5432", seconds)
        self.file = self.link.makefile("rb")
        words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
        self.link.sendall(struct.pack(">II", len(words) + 9, 3 << 16) + words + b"\0")
        self._replies()

    def __call__(self, sql):
        """The rows of the statements, each a list of texts. Throws `PostgresError`."""
        text = sql.encode() + b"\0"
        self.link.sendall(b"Q" + struct.pack(">I", len(text) + 4) + text)
        return self._replies()

    def close(self):
        self.file.close()
        self.link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _replies(self):
        rows, failure = [], None
        while True:
            head = self.file.read(5)
            if len(head) < 5:
                raise OSError(f"PostgreSQL: the connection ended: {failure}")
            content = self.file.read(struct.unpack(">I", head[1:])[0] - 4)
            if head[:1] == b"D":
                rows.append(_row(content))
            elif head[:1] == b"E":
                failure = PostgresError(content.replace(b"\0", b" ").decode())
            elif head[:1] == b"Z":
                if failure:
                    raise failure
                return rows


def _row(content):
    values, at = [], 2
    for _ in range(struct.unpack(">H", content[:2])[0]):
        size = struct.unpack(">i", content[at : at + 4])[0]
        values.append(None if size < 0 else content[at + 4 : at + 4 + size].decode())
        at += 4 + max(size, 0)
    return values
