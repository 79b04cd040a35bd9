"""A bystander's law: while one shopper, row, product, command or node misbehaves, another shopper's add is answered
within 200 ms and is in PostgreSQL within a second, 99 of 100."""

import time
import unittest

import misbehaving_shoppers  # noqa: F401
import misbehaving_stores  # noqa: F401
from bystander import Bystander
from misbehaviours import MISBEHAVIOURS
from shop import Shop


class LawTests(unittest.TestCase):
    """One test for each misbehaviour, all in one shop; where one breaks the law, those after it have a new one."""

    shop = None

    @classmethod
    def tearDownClass(cls):
        cls.leave()

    @classmethod
    def leave(cls):
        if cls.shop:
            shop, cls.shop = cls.shop, None
            shop.close()

    def check(self, name, misbehaviour):
        cls = type(self)
        cls.shop = cls.shop or Shop()
        try:
            bystander = Bystander(cls.shop, name.replace("_", "-"))
            faults = []
            try:
                misbehaviour(cls.shop, bystander)
            except (AssertionError, TimeoutError) as error:
                faults.append(str(error))
            print(f"\n{misbehaviour.__doc__}: {bystander.report()}", flush=True)
            faults = bystander.faults() + faults
            if not faults:
                cls.shop.await_rest()
                faults += bystander.differences()[:5] + bystander.faults()
            if faults:
                self.fail("\n".join(faults))
        except BaseException:
            cls.leave()
            raise


class TheLawItselfTests(unittest.TestCase):
    """It can be broken."""

    def setUp(self):
        self.shop = Shop()
        self.addCleanup(self.shop.close)

    def faults(self, pids, seconds):
        bystander = Bystander(self.shop, "watcher")
        with bystander.shopping():
            time.sleep(1)
            with self.shop.stopped(pids):
                time.sleep(seconds)
            time.sleep(1)
        return " ".join(bystander.faults()), bystander

    def test_it_sees_who_waits_for_an_answer(self):
        faults, _ = self.faults([self.shop.master.pid, *self.shop.workers()], 0.5)
        self.assertIn("is answered after", faults)
        self.assertNotIn("in PostgreSQL", faults)

    def test_it_sees_who_waits_for_postgres(self):
        faults, _ = self.faults([self.shop.master.pid, *self.shop.syncers()], 1.5)
        self.assertIn("in PostgreSQL after", faults)
        self.assertNotIn("answered", faults)

    def test_it_sees_what_is_not_there(self):
        _, bystander = self.faults([], 0)
        self.shop.await_rest()
        self.assertEqual(bystander.differences(), [])
        kind, name = bystander.owners["user"][0]
        key = self.shop.key((kind, name))
        line = self.shop.redis.ask("HGET", key, "=p0").split("|", 1)
        self.shop.redis.ask("HSET", key, "=p0", f"{int(line[0]) + 1}|{line[1]}")
        found = " ".join(bystander.differences())
        self.assertIn(f"('{kind}', '{name}') p0: 1001, not 1000 to 1000", found)
        self.assertIn("in PostgreSQL", found)
        # The same version, and another content.
        self.assertEqual(len(bystander.repeated), 1)


def _test(name, misbehaviour):
    return lambda self: self.check(name, misbehaviour)


for _name, _misbehaviour in MISBEHAVIOURS.items():
    setattr(LawTests, f"test_{_name}", _test(_name, _misbehaviour))


if __name__ == "__main__":
    unittest.main()
