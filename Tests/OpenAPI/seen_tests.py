"""The last of this folder, by its name: what the others have not brought about, and so nobody has held against the
description, is named here."""

import unittest

from system import DESCRIPTION, SEEN

CODES = {
    "forbidden": "the demo's nginx lets everybody by",
    "rate_limited": "the demo limits nothing; Tests/Pool has it",
    "not_found": "only a worker without a master knows of no pool",
    "request_in_progress": "two orders with one key at the same moment; CartStoresTests has them",
}


class Seen(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not SEEN:
            raise unittest.SkipTest("no other test has run before")

    def test_codes(self):
        seen = set().union(*SEEN.values())
        known = DESCRIPTION.document["components"]["schemas"]["ErrorCode"]["enum"]
        self.assertEqual(set(known) - seen, set(CODES))

    def test_answers(self):
        unseen = {
            (method, path, int(status))
            for method, path, operation in DESCRIPTION.operations()
            for status, _ in operation["responses"].items()
        } - set(SEEN)
        self.assertEqual({place for place in unseen if not self.is_rare(*place)}, set())

    @staticmethod
    def is_rare(method, path, status):
        """Only the web server's, only under load, or too slow to wait for at every request."""
        is_file = path.endswith((".json", ".js"))
        return (
            status in (429, 504)
            or status == 403
            and method == "GET"
            or status == 401
            and is_file
            or status == 503
            and (is_file or path.startswith("/ops") and path != "/ops/ready")
            or status == 404
            and path.startswith("/ops")
        )


if __name__ == "__main__":
    unittest.main()
