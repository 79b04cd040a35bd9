"""A bystander's law: while one shopper, row, product, command or node misbehaves, another shopper's add is answered
within 200 ms and is in PostgreSQL within a second, 99 of 100."""

import unittest

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


def _test(name, misbehaviour):
    return lambda self: self.check(name, misbehaviour)


for _name, _misbehaviour in MISBEHAVIOURS.items():
    setattr(LawTests, f"test_{_name}", _test(_name, _misbehaviour))


if __name__ == "__main__":
    unittest.main()
