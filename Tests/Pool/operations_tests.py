"""What `/ops` says of a pool, and when."""

import html.parser
import re
import socket
import time
import unittest

from harness.pool import Cartd, Products
from harness.processes import PATIENCE, wait_until
from harness.shop import LINES

POOL_KEYS = {
    "workers", "idle", "busy", "listenQueue", "accepted", "requests", "reusedRequests", "crashes", "generation",
}
WORKER_KEYS = {"slot", "pid", "generation", "state", "requests", "rssBytes"}
# https://prometheus.io/docs/instrumenting/exposition_formats/, of version 0.0.4 what is not a comment.
SAMPLE = re.compile(
    r'(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)'
    r'(?:\{(?P<labels>(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*",?)*)\})?'
    r' (?P<value>[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf|NaN))(?: -?\d+)?'
)
HELP = re.compile(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\\n]|\\[\\n])*")
TYPE = re.compile(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)")


def ask_store(pool):
    """A request that Redis must answer."""
    return pool.nginx.start("GET", "/v1/cart", user="someone")


class Page(html.parser.HTMLParser):
    """The tags of a page, their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.texts.append(data)


class Status(unittest.TestCase):
    def test_it_has_the_keys_of_the_contract_and_their_values(self):
        with Cartd(workers=3) as pool:
            for _ in range(12):
                self.assertEqual(ask_store(pool).finish().status, 200)
            pool.wait_until_idle()
            answer = pool.nginx.ask("GET", "/ops/status?format=json")
            self.assertEqual(answer.headers["Content-Type"], "application/json")
            seen = answer.json
            self.assertLessEqual(POOL_KEYS, seen["pool"].keys())
            self.assertEqual((seen["pool"]["workers"], seen["pool"]["idle"], seen["pool"]["busy"]), (3, 3, 0))
            # What asks nginx whether it answers sends no request.
            self.assertEqual((seen["pool"]["requests"], seen["pool"]["crashes"]), (12, 0))
            self.assertEqual(seen["pool"]["accepted"] + seen["pool"]["reusedRequests"], 12)
            self.assertEqual((seen["pool"]["listenQueue"], seen["pool"]["generation"]), (0, 0))
            self.assertEqual(sorted(worker["pid"] for worker in seen["workers"]), pool.workers())
            self.assertEqual(sum(worker["requests"] for worker in seen["workers"]), 12)
            for worker in seen["workers"]:
                self.assertLessEqual(WORKER_KEYS, worker.keys())
                self.assertGreater(worker["rssBytes"], 1 << 20)
            page = pool.nginx.ask("GET", "/ops/status")
            self.assertEqual(page.headers["Content-Type"], "text/html; charset=utf-8")
            cells = Page(page.body.decode()).texts
            for pid in pool.workers():
                self.assertIn(str(pid), cells)

    def test_it_is_told_while_every_worker_is_busy_and_shows_nothing_that_clients_send(self):
        with Cartd(workers=2, gates=True) as pool:
            self.assertEqual(ask_store(pool).finish().status, 200)
            pool.wait_until_idle()
            pool.redis_gate.hold()
            hostile = [self.send_hostile(pool.nginx.port) for _ in range(2)]
            wait_until(lambda: len(pool.busy()) == 2, PATIENCE, "both are busy")
            started = time.monotonic()
            targets = ("/ops/status", "/ops/status?format=json", "/ops/metrics")
            answers = [pool.nginx.ask("GET", target) for target in targets]
            seconds = time.monotonic() - started
            queued = [ask_store(pool) for _ in range(3)]
            pool.redis_gate.release()
            print(f"\npage, JSON and metrics of a busy pool took {seconds * 1000:.0f} ms", flush=True)
            self.assertLess(seconds, 1)
            for answer in answers:
                self.assertEqual(answer.status, 200)
                self.assertTrue(all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in answer.body))
                for word in (b"alert", b"onerror", b"hostile"):
                    self.assertNotIn(word, answer.body)
            self.assertEqual(answers[1].json["pool"]["busy"], 2)
            page = Page(answers[0].body.decode())
            known = {"html", "head", "meta", "title", "style", "body", "h1", "table", "tr", "th", "td"}
            self.assertLessEqual(page.tags, known)
            self.assertLessEqual(page.attributes, {"lang", "charset", "http-equiv", "content", "class"})
            for end in hostile:
                self.assertTrue(end.recv(12).startswith(b"HTTP/1.1 200"))
            self.assertEqual([request.finish().status for request in queued], [200] * 3)
            pool.wait_until_idle(2)

    def send_hostile(self, port):
        end = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.addCleanup(end.close)
        end.sendall(
            b"GET /v1/cart?<script>alert(1)</script>\"'& HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"User-Agent: <img src=x onerror=alert(2)>\xff\xfe\"\r\nReferer: </table><hostile>\r\n"
            b"Cookie: demoUser=<hostile>&\r\n\r\n"
        )
        return end


class Metrics(unittest.TestCase):
    def scrape(self, pool):
        """Every sample by its name and labels, once every line has been read by the grammar."""
        answer = pool.nginx.ask("GET", "/ops/metrics")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        text = answer.body.decode()
        self.assertTrue(text.endswith("\n"))
        types, samples = {}, {}
        for line in text[:-1].split("\n"):
            if match := TYPE.fullmatch(line):
                self.assertNotIn(match[1], types)
                types[match[1]] = match[2]
            elif not HELP.fullmatch(line):
                match = SAMPLE.fullmatch(line)
                self.assertIsNotNone(match, line)
                family = match["name"]
                if family not in types:
                    family = re.sub("_(bucket|sum|count)$", "", family)
                    self.assertEqual(types.get(family), "histogram", line)
                key = (match["name"], match["labels"] or "")
                self.assertNotIn(key, samples)
                samples[key] = float(match["value"])
        return samples

    def test_every_line_is_in_the_format_and_counters_count_the_requests(self):
        wanted = {
            'route="GET /v1/cart",status="2xx"': 5, 'route="POST /v1/cart/lines",status="2xx"': 3,
            'route="POST /v1/cart/lines",status="4xx"': 2, 'route="other",status="4xx"': 4,
        }
        with Cartd(workers=2) as pool:
            self.send(pool, Products.sku())
            pool.wait_until_idle()
            before = self.scrape(pool)
            self.send(pool, Products.sku())
            pool.wait_until_idle()
            after = self.scrape(pool)
        grown = {key: after[key] - before.get(key, 0) for key in after}
        requests = {key[1]: count for key, count in grown.items() if key[0] == "cartd_requests_total" and count}
        self.assertEqual(requests, wanted)
        self.assertEqual(grown["cartd_request_duration_seconds_count", ""], 14)
        self.assertEqual(grown["cartd_request_duration_seconds_bucket", 'le="+Inf"'], 14)
        for family in ("cartd_request_duration_seconds_bucket", "cartd_sync_lag_seconds_bucket"):
            buckets = [count for key, count in after.items() if key[0] == family]
            self.assertEqual(buckets, sorted(buckets))
            self.assertGreater(len(buckets), 2)
        accepted, reused = (grown[f"cartd_{name}_total", ""] for name in ("connections_accepted", "requests_reused"))
        self.assertEqual(accepted + reused, 14)
        self.assertGreater(grown["cartd_store_seconds_total", 'store="redis"'], 0)
        self.assertEqual(after["cartd_workers", 'state="idle"'], 2)
        for key, count in grown.items():
            if key[0].endswith(("_total", "_count", "_bucket")):
                self.assertGreaterEqual(count, 0, key)

    def send(self, pool, sku):
        for _ in range(5):
            self.assertEqual(ask_store(pool).finish().status, 200)
        for quantity, status in ((1, 200), (2, 200), (3, 200), (0, 422), (-1, 422)):
            body = {"sku": sku, "quantity": quantity}
            answer = pool.nginx.ask("POST", LINES, body, user="someone")
            self.assertEqual(answer.status, status)
        for number in range(4):
            self.assertEqual(pool.nginx.ask("GET", f"/v1/nowhere/{number}").status, 404)


if __name__ == "__main__":
    unittest.main()
