"""The API's description, as something that answers can be held against."""

import json
import re
import urllib.parse

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

URI = "urn:cartd:description"
# What the web server adds to every answer, and what OpenAPI describes elsewhere.
COMMON_HEADERS = {"date", "server", "connection", "keep-alive", "content-type", "content-length", "transfer-encoding"}
PROBLEM = "application/problem+json"


class Undescribed(AssertionError):
    """An answer that the description does not know."""


def escaped(key):
    """As part of a JSON pointer (RFC 6901), in the fragment of a URI."""
    return urllib.parse.quote(key.replace("~", "~0").replace("/", "~1"), safe="~{}+-.")


class Node:
    """A place in the document, which knows its pointer."""

    def __init__(self, document, value, pointer):
        self.document, self.value, self.pointer = document, value, pointer

    def __getitem__(self, key):
        index = int(key) if isinstance(self.value, list) else key
        return Node(self.document, self.value[index], f"{self.pointer}/{escaped(str(key))}").resolved()

    def __contains__(self, key):
        return key in self.value

    def get(self, key):
        return self[key] if key in self.value else Node(self.document, {}, self.pointer)

    def items(self):
        keys = range(len(self.value)) if isinstance(self.value, list) else self.value
        return [(key, self[key]) for key in keys]

    def resolved(self):
        """What a reference leads to. A schema that has more to say beside its reference stays as it is."""
        if not isinstance(self.value, dict) or set(self.value) != {"$ref"}:
            return self
        node = Node(self.document, self.document, "")
        for part in self.value["$ref"].removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node


class Description:
    def __init__(self, text):
        self.document = json.loads(text)
        self.root = Node(self.document, self.document, "")
        self.registry = Registry().with_resource(URI, DRAFT202012.create_resource(self.document))
        self.validators = {}

    def faults(self, schema, value):
        """What is wrong with a value, by the schema at a node."""
        if schema.pointer not in self.validators:
            self.validators[schema.pointer] = Draft202012Validator(
                {"$ref": f"{URI}#{schema.pointer}"},
                registry=self.registry,
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
        # The cause lies deeper where a value is none of several schemas.
        causes = (best_match([error]) for error in self.validators[schema.pointer].iter_errors(value))
        return [f"{cause.json_path}: {cause.message[:300]}" for cause in causes]

    def operations(self):
        """Each with its method and its path."""
        for path, item in self.root["paths"].items():
            for method, operation in item.items():
                if method not in ("parameters", "servers"):
                    yield method.upper(), path, operation

    def operation(self, method, target):
        """The path and the operation that a request leads to."""
        parts = urllib.parse.urlsplit(target).path.split("/")
        for path, item in self.root["paths"].items():
            pattern = path.split("/")
            fits = len(parts) == len(pattern) and all(
                there == wanted or wanted.startswith("{") and there for there, wanted in zip(parts, pattern)
            )
            if fits and method.lower() in item:
                return path, item[method.lower()]
        raise Undescribed(f"{method} {target} is not described")

    def check(self, method, target, status, headers, body):
        """Holds an answer against what is said of it, and returns which one it was: method, path, status, and code.

        - Parameter headers: pairs of a name and a value.
        """
        known = "GET" if method == "HEAD" else method
        path, operation = self.operation(known, target)
        where = f"{method} {path} {status}"
        if str(status) not in operation["responses"]:
            raise Undescribed(f"{where} is not described: {body[:500]!r}")
        response = operation["responses"][str(status)]
        self.check_headers(where, response, headers)
        code = self.check_body(where, response, dict((name.lower(), value) for name, value in headers), method, body)
        return known, path, status, code

    def check_headers(self, where, response, headers):
        described = {name.lower(): header for name, header in response.get("headers").items()}
        seen = set()
        for name, value in headers:
            name = name.lower()
            if name in COMMON_HEADERS:
                continue
            if name not in described:
                raise Undescribed(f"{where}: the header {name} is not described")
            if name in seen:
                raise Undescribed(f"{where}: the header {name} stands twice")
            seen.add(name)
            schema = described[name]["schema"]
            if schema.value.get("type") == "integer" and re.fullmatch(r"\d+", value):
                value = int(value)
            if faults := self.faults(schema, value):
                raise Undescribed(f"{where}: the header {name}: {faults}")
        for name, header in described.items():
            if header.value.get("required") and name not in seen:
                raise Undescribed(f"{where}: the header {name} is missing")

    def check_body(self, where, response, headers, method, body):
        if "content" not in response:
            if body or "content-type" in headers:
                raise Undescribed(f"{where}: no body is described")
            return None
        media = headers["content-type"].split(";")[0]
        if media not in response["content"]:
            raise Undescribed(f"{where}: {media} is not described")
        if method == "HEAD":
            if body:
                raise Undescribed(f"{where}: a body")
            return None
        if int(headers["content-length"]) != len(body):
            raise Undescribed(f"{where}: Content-Length")
        is_json = media in ("application/json", PROBLEM)
        value = json.loads(body) if is_json else body.decode()
        if faults := self.faults(response["content"][media]["schema"], value):
            raise Undescribed(f"{where}: {faults}\n{body[:2000]!r}")
        if media != PROBLEM:
            return None
        if value["requestId"] != headers["request-id"] or value["errors"][0]["code"] != value["code"]:
            raise Undescribed(f"{where}: {body[:500]!r}")
        return value["code"]
