"""What the ledger knows of the sources by their texts is still there: nothing is built for that, and nothing started."""

import glob
import os
import re
import unittest

import mutants
import nemesis
import schedules
import steps

HERE = os.path.dirname(os.path.abspath(__file__))
# That the watchers know otherwise than by one script or statement.
OTHER_STEPS = {
    "redis": {"order.apply", "merge.apply", "sync.take", "sync.snapshot", "sync.acknowledge"},
    "postgres": {*steps.COMMITS.values(), "restore.commit"},
}
KNOWN_STEPS = {
    "redis": OTHER_STEPS["redis"] | set(steps.SCRIPT_STEPS.values()) - {"apply"},
    "postgres": OTHER_STEPS["postgres"] | set(steps.STATEMENT_STEPS.values()),
}


def texts(pattern):
    for path in glob.glob(pattern, recursive=True):
        with open(path, encoding="utf-8") as file:
            yield path, file.read()


class SourcesTests(unittest.TestCase):
    def test_what_each_mutant_replaces_is_there_once(self):
        for rule, (schedule, patches) in mutants.MUTANTS.items():
            with self.subTest(rule):
                self.assertIn(schedule, schedules.SCHEDULES)
                mutants.patched(patches)

    def test_each_script_of_a_step_is_there(self):
        self.assertLessEqual(steps.SCRIPT_STEPS.keys() | steps.SHARED_PARTS, steps.names_of_scripts())

    def test_each_statement_of_a_step_is_there_once(self):
        sources = "".join(text for _, text in texts(os.path.join(mutants.ROOT, "Sources/CartStores/**/*.swift")))
        for name in steps.STATEMENT_STEPS:
            with self.subTest(name):
                self.assertEqual(len(re.findall(rf'PostgresStatement\(\s*"{name}"', sources)), 1)

    def test_each_step_that_something_is_done_at_is_known(self):
        at = {("redis", step) for step in steps.REDIS_STEPS} | {("postgres", step) for step in steps.POSTGRES_STEPS}
        for _, text in texts(os.path.join(HERE, "*.py")):
            at |= set(re.findall(r'"(redis|postgres)", "([a-z]+\.[a-z]+)"', text))
        self.assertGreater(len(at), 30)
        for store, step in sorted(at):
            with self.subTest(step):
                self.assertIn(step, KNOWN_STEPS[store])

    def test_each_fault_is_there(self):
        for kind in nemesis.KINDS:
            self.assertTrue(hasattr(nemesis.Nemesis, "do_" + kind.replace("-", "_")), kind)


if __name__ == "__main__":
    unittest.main()
