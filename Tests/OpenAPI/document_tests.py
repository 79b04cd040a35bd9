"""The description by itself: it is OpenAPI, and its examples are what it says."""

import unittest

from openapi_spec_validator import OpenAPIV31SpecValidator

from description import Description, Node, escaped
from harness.shop import URL
from harness.web import Exchange
from system import SOURCE


class Document(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = Exchange(URL, "GET", "/v1/openapi.json").finish().body
        cls.description = Description(cls.text)

    def test_it_is_the_one_of_the_sources(self):
        self.assertEqual(self.text, SOURCE.read_bytes())

    def test_it_is_openapi(self):
        faults = [error.message for error in OpenAPIV31SpecValidator(self.description.document).iter_errors()]
        self.assertEqual(faults, [])

    def test_its_schemas_are_closed(self):
        # What an answer holds beyond them would go unseen.
        free = {"Values", "ClientData", "ExtraData"}
        for name, schema in self.description.root["components"]["schemas"].items():
            for node in self.nodes(schema):
                if node.value.get("type") == "object" and name not in free:
                    self.assertIs(node.value.get("additionalProperties"), False, node.pointer)

    def test_its_examples_are_valid(self):
        count = 0
        for node in self.nodes(self.description.root):
            if "schema" not in node.value or not {"example", "examples"} & set(node.value):
                continue
            examples = [example["value"].value for _, example in node.get("examples").items()]
            for example in examples + [node.value[key] for key in ("example",) if key in node.value]:
                count += 1
                self.assertEqual(self.description.faults(node["schema"], example), [], node.pointer)
        self.assertGreater(count, 100)

    def test_everything_that_has_a_name_is_used(self):
        # MethodNotAllowed is the answer where nothing is described.
        names = {
            f"#/components/{kind}/{name}"
            for kind, members in self.description.document["components"].items()
            for name in members
            if kind != "securitySchemes"
        }
        used = {node.value["$ref"] for node in self.nodes(self.description.root, raw=True) if "$ref" in node.value}
        self.assertEqual(names - used, {"#/components/responses/MethodNotAllowed"})
        self.assertEqual(used - names, set())

    def test_every_request_and_every_answer_has_an_example(self):
        # But for files, pages and metrics.
        for method, path, operation in self.description.operations():
            contents = [operation["requestBody"]] if "requestBody" in operation else []
            contents += [response for _, response in operation["responses"].items() if "content" in response]
            for content in contents:
                for media, node in content["content"].items():
                    if "json" in media and path != "/v1/openapi.json":
                        self.assertIn("examples", node, f"{method} {path}")

    def nodes(self, node, raw=False):
        """All places below one that are objects; references are not followed."""
        if isinstance(node.value, dict):
            yield node
        if isinstance(node.value, (dict, list)) and (raw or "$ref" not in node.value):
            for key, value in list(node.value.items()) if isinstance(node.value, dict) else enumerate(node.value):
                yield from self.nodes(Node(node.document, value, f"{node.pointer}/{escaped(str(key))}"), raw)


if __name__ == "__main__":
    unittest.main()
