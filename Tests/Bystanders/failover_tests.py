"""What becomes of the shop when Redis is demoted, partitioned from its replica, or put back: who refuses, what is lost,
and that no version comes twice."""

import collections
import contextlib
import os
import threading
import time
import unittest

from shop import PRICE, Cable, RedisServer, Shop, background, end, pace, wait_until, wire

# A demoted or deposed Redis is noticed within.
NOTICED_WITHIN = 2.0
SKUS = [f"p{number}" for number in range(Shop.PLAIN)]


def info(redis, name):
    return int(redis("INFO", "replication").partition(f"{name}:")[2].split("\r\n")[0])


def lines_of(cart):
    return {line["sku"]: line["quantity"] for line in cart["lines"]}


class WithReplicas(unittest.TestCase):
    def setUp(self):
        self.shop = Shop()
        self.addCleanup(self.shop.close)

    def follow(self, primary):
        """A replica that has all that its primary has."""
        replica = RedisServer(f"{self.shop.folder}/replica{len(self.shop.others)}-{primary.port}", follows=primary)
        self.addCleanup(lambda: replica.process.poll() is None and end(replica.process))
        with wire.Redis(replica.socket) as link:
            wait_until(lambda: "master_link_status:up" in link("INFO", "replication"), 10, "the replica")
        return replica

    def promote_without(self, change):
        """A replica that has missed a change takes the primary's place, as behind an address that moves. What `change`
        has returned."""
        shop, primary = self.shop, self.shop.redis
        replica = self.follow(primary)
        with wire.Redis(replica.socket) as link, shop.redis_link() as redis:
            offset = info(redis, "master_repl_offset")
            wait_until(lambda: info(link, "slave_repl_offset") >= offset, 5, "the replica")
            link("REPLICAOF", "127.0.0.1", "1")
            result = change()
            primary.kill()
            link("REPLICAOF", "NO", "ONE")
        os.replace(replica.socket, primary.socket)
        replica.socket = primary.socket
        shop.redis = replica
        return result


class FailoverTests(WithReplicas):
    # --- a Redis that is demoted under its clients --------------------------------------------------------------------

    def test_a_demoted_redis_is_left_and_taken_again(self):
        # REPLICAOF on the running Redis: reads say that they come from PostgreSQL, changes are refused; then back.
        shop = self.shop
        guest = shop.add("p0").headers["guest-cart-id"]
        people = [{"user": f"u{number}"} for number in range(6)] + [{"guest": guest}]
        for person in people:
            shop.add("p1", **person)
            shop.must("POST", "/v1/cart/sync", **person)
        with shop.redis_link() as redis:
            redis("REPLICAOF", "127.0.0.1", "1")
        demoted = time.monotonic()
        marked, refused = [], []
        while time.monotonic() < demoted + NOTICED_WITHIN + 4:
            for person in people:
                at = time.monotonic() - demoted
                read = shop.ask("GET", "/v1/cart", **person)
                change = shop.ask("POST", "/v1/cart/lines", {"sku": "p2"}, **person)
                marked.append((at, read.status, read.headers.get("cart-source")))
                refused.append((at, change.status))
            time.sleep(0.05)
        ready = shop.ready()
        with shop.redis_link() as redis:
            redis("REPLICAOF", "NO", "ONE")
        promoted = time.monotonic()
        late = [entry for entry in marked if entry[0] > NOTICED_WITHIN and entry[1:] != (200, "database")]
        self.assertEqual(late, [], f"{len(late)} of {len(marked)} reads")
        wrong = [entry for entry in refused if entry[1] != 503]
        self.assertEqual(wrong, [], "changes were not refused")
        self.assertEqual((ready.status, ready.json["change"]), (200, False), "readiness while changes are refused")

        def is_back():
            return all(shop.ask("POST", "/v1/cart/lines", {"sku": "p3"}, **person).status == 200 for person in people)

        wait_until(is_back, 20, "changes to be taken again")
        print(f"\ndemoted: all noticed; taken again after {time.monotonic() - promoted:.2f} s", flush=True)
        for _ in range(10):
            for person in people:
                lines = shop.lines(**person)
                self.assertGreaterEqual(lines["p3"], 1)
                self.assertEqual(lines["p1"], 1)
                self.assertNotIn("p2", lines)
        wait_until(lambda: shop.ready().json["change"], NOTICED_WITHIN, "readiness")
        shop.add("p0", user="new-after-that")
        shop.await_rest()

    # --- a partition --------------------------------------------------------------------------------------------------

    def partition(self, needs_replica):
        """Clients go on at the old primary while its replica, which it can't reach, is promoted, and another cartd
        begins there. (how many acknowledged adds are gone, by when they were made; how long after the new side served the
        last was acknowledged; whether the old one says in the end that it takes changes)"""
        shop, folder = self.shop, self.shop.folder
        cable = Cable(shop.redis.port)
        self.addCleanup(cable.close)
        replica = RedisServer(os.path.join(folder, "replica"), follows=cable)
        self.addCleanup(lambda: replica.process.poll() is None and end(replica.process))
        with wire.Redis(replica.socket) as link, shop.redis_link() as redis:
            wait_until(lambda: "master_link_status:up" in link("INFO", "replication"), 10, "the replica")
            if needs_replica:
                redis("CONFIG", "SET", "min-replicas-max-lag", 1)
                redis("CONFIG", "SET", "min-replicas-to-write", 1)
        users = [f"u{number}" for number in range(8)]
        for user in users:
            wait_until(lambda: shop.ask("POST", "/v1/cart/lines", {"sku": "big0"}, user=user).status == 200, 10, "an add")
        acknowledged, others, skus, lock = [], [], iter(SKUS), threading.Lock()

        def write(stopping, number):
            for _ in pace(stopping, 25):
                with lock:
                    sku = next(skus)
                try:
                    status = shop.ask("POST", "/v1/cart/lines", {"sku": sku}, user=users[number]).status
                except wire.Cut as error:
                    status = str(error)
                entry = (time.monotonic(), users[number], sku, status)
                (acknowledged if status == 200 else others).append(entry)

        with background(write, len(users)):
            time.sleep(1.5)
            self.assertEqual(others, [])
            cable.cut()
            cut = time.monotonic()
            if needs_replica:
                # A sentinel waits for longer than the old primary needs to see that it is alone.
                wait_until(lambda: others, 10, "the old primary to refuse changes")
            time.sleep(1.5)
            with wire.Redis(replica.socket) as link:
                link("REPLICAOF", "NO", "ONE")
            promoted = time.monotonic()
            listen = shop.second_cartd(replica)
            wait_until(
                lambda: shop.ask("POST", "/v1/cart/lines", {"sku": "big1"}, user="new", listen=listen).status == 200,
                20, "the new side to serve",
            )  # fmt: skip
            registered = time.monotonic()
            for user in users[:4]:
                shop.ask("POST", "/v1/cart/lines", {"sku": "big1"}, user=user, listen=listen)
            time.sleep(NOTICED_WITHIN + 3)
        takes_changes = shop.ready().json["change"]
        end(shop.master)
        shop.redis.kill()
        there = {}
        for user in users:
            answer = shop.must("GET", "/v1/cart", user=user, listen=listen)
            self.assertNotIn("cart-source", answer.headers)
            there[user] = lines_of(answer.json)
        gone = [entry for entry in acknowledged if entry[2] not in there[entry[1]]]
        counts = collections.Counter(
            "before the partition" if at < cut else "before the promotion" if at < promoted
            else "before it was registered" if at < registered else "after that" for at, *_ in gone
        )  # fmt: skip
        last = max(at for at, *_ in acknowledged) - registered
        print(
            f"\npartition, {'a replica is needed' if needs_replica else 'no replica is needed'}:"
            f" {len(acknowledged)} acknowledged, {len(others)} refused, {len(gone)} gone"
            f" ({dict(counts)}), the last acknowledged {last:+.2f} s after the new side served",
            flush=True,
        )
        return counts, last, takes_changes

    def test_a_partition_where_a_replica_is_needed_loses_nothing(self):
        counts, _, takes_changes = self.partition(needs_replica=True)
        self.assertEqual(sum(counts.values()), 0)
        self.assertFalse(takes_changes, "the old side says that it takes changes")

    def test_a_deposed_primary_stops_acknowledging(self):
        counts, last, takes_changes = self.partition(needs_replica=False)
        self.assertEqual(counts["before the partition"] + counts["before the promotion"], 0, "lost without need")
        self.assertLess(last, NOTICED_WITHIN, "the old side goes on acknowledging what is lost")
        self.assertFalse(takes_changes, "the old side says that it takes changes")

    # --- versions -----------------------------------------------------------------------------------------------------

    def lose(self, person, lose_tail):
        """Redis forgets the last change, which PostgreSQL does not have; no version is given twice, and a condition of
        a lost state does not hold."""
        shop, tags = self.shop, {}

        def note(answer):
            version, tag = answer.json["version"], answer.headers["etag"]
            self.assertEqual(tags.setdefault(version, tag), tag, f"version {version} was given twice")
            return tag

        for sku in ("p0", "p1", "p2"):
            note(shop.add(sku, **person))
        shop.must("POST", "/v1/cart/sync", **person)
        shop.await_rest()
        with shop.without_syncer():
            lost = lose_tail(lambda: note(shop.add("p3", **person)))

        def is_read():
            answer = shop.ask("GET", "/v1/cart", **person)
            return answer.status == 200 and "cart-source" not in answer.headers and answer

        wait_until(is_read, 20, "the cart to be served")
        answer = is_read()
        note(answer)
        self.assertNotIn("p3", lines_of(answer.json), "nothing was lost: the test is wrong")
        note(shop.add("p4", **person))
        answer = shop.ask("DELETE", "/v1/cart/lines/p4", None, HTTP_IF_MATCH=lost, **person)
        self.assertEqual(answer.status, 412, "the condition of a lost state holds")
        self.assertEqual(lines_of(shop.must("GET", "/v1/cart", **person).json), dict.fromkeys(("p0", "p1", "p2", "p4"), 1))
        shop.await_rest()

    def kill_without_tail(self, change):
        """Redis is killed, and the end of its file is gone, as after a power cut."""
        shop = self.shop
        path = os.path.join(shop.redis.folder, "appendonlydir", "appendonly.aof.1.incr.aof")
        before = self.size_at_rest(path)
        lost = change()
        wait_until(lambda: os.path.getsize(path) > before, 5, "Redis to write it down")

        def cut():
            os.truncate(path, before)

        shop.restart_redis(cut)
        return lost

    def size_at_rest(self, path):
        """Of the file to which a Redis writes that nobody changes."""
        size = -1
        while size != os.path.getsize(path):
            size = os.path.getsize(path)
            time.sleep(0.3)
        return size

    def test_no_version_comes_twice_after_a_power_cut(self):
        self.lose({"user": "u"}, self.kill_without_tail)

    def test_no_version_of_a_guest_comes_twice_after_a_power_cut(self):
        guest = self.shop.add("big0").headers["guest-cart-id"]
        self.shop.must("DELETE", "/v1/cart/lines/big0", guest=guest)
        self.lose({"guest": guest}, self.kill_without_tail)

    def test_no_version_comes_twice_after_a_promotion(self):
        self.lose({"user": "u"}, self.promote_without)

    def test_no_version_comes_twice_after_redis_was_emptied(self):
        def empty(change):
            lost = change()
            with self.shop.redis_link() as redis:
                redis("FLUSHALL")
            return lost

        self.lose({"user": "u"}, empty)


class GuestTests(WithReplicas):
    """Guests' carts are no less sure than users'."""

    def guest(self):
        shop = self.shop
        return {"guest": shop.add("p0").headers["guest-cart-id"]}

    def cart(self, guest):
        answer = None

        def is_read():
            nonlocal answer
            answer = self.shop.ask("GET", "/v1/cart", **guest)
            return answer.status == 200 and "cart-source" not in answer.headers

        wait_until(is_read, 20, "the cart to be served")
        return lines_of(answer.json)

    def test_a_refused_order_brings_nothing_back(self):
        shop, guest = self.shop, self.guest()
        answer = shop.ask("POST", "/v1/orders", {"expectedTotal": 1}, key="k", **guest)
        self.assertEqual((answer.status, answer.json["code"]), (409, "total_changed"))
        shop.must("DELETE", "/v1/cart/lines/p0", **guest)
        shop.add("p1", 4, **guest)
        shop.await_rest()
        with shop.redis_link() as redis:
            redis("FLUSHALL")
        self.assertIn(self.cart(guest), ({}, {"p1": 4}))

    def test_what_was_ordered_does_not_come_back_with_a_replica(self):
        shop, guest = self.shop, self.guest()
        shop.await_rest()

        def order():
            answer = shop.ask("POST", "/v1/orders", {"expectedTotal": PRICE}, key="k", **guest)
            self.assertEqual(answer.status, 201, answer.json)
            shop.await_rest()

        self.promote_without(order)
        self.assertEqual(self.cart(guest), {}, "what was ordered is in the cart")
        answer = shop.ask("POST", "/v1/orders", {"expectedTotal": PRICE}, key="again", **guest)
        self.assertEqual((answer.status, answer.json["code"]), (409, "cart_empty"))

    def test_a_restart_of_redis_leaves_no_row_for_ever(self):
        shop = self.shop
        guests = [self.guest() for _ in range(10)]
        shop.await_rest()
        # Until Redis has written it down for certain.
        time.sleep(2)
        shop.restart_redis()
        for guest in guests:
            self.cart(guest)
            shop.ask("POST", "/v1/cart/lines", {"sku": "p1"}, **guest)
        shop.await_rest()
        endless = "SELECT count(*) FROM cart.carts WHERE owner_kind = 'guest' AND expires_at IS NULL"
        self.assertEqual(shop.number(endless), 0, "guests' rows that never end")


if __name__ == "__main__":
    unittest.main()
