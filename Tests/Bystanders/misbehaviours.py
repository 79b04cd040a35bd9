"""What one shopper, row, product, command or node does to the others. Each misbehaviour is a function of a shop and a
bystander, in one of the files that `law_tests` imports: it begins, lets the bystander shop while it lasts, ends, and
says by an AssertionError what else it should not have done. A new one is a new function."""

import time

from harness.processes import wait_until
from harness.shop import IS_LONG
from harness.system import demand

# Name → function; what is printed of it is its first line.
MISBEHAVIOURS = {}
# Of what is done all the time.
SECONDS = 20 if IS_LONG else 6
# Until what is done from time to time must have been done.
TASK_SECONDS = 20


def misbehaviour(function):
    MISBEHAVIOURS[function.__name__] = function
    return function


def demand_record(shop, user):
    """Each change of the cart was recorded once, none is missing."""
    record, version = shop.record(user), shop.version_in_postgres(("user", user))
    missing = [number for number in range(1, version + 1) if number not in record]
    demand(not missing, f"{len(missing)} of {version} changes are not recorded: {missing[:5]}")
    strange = sorted(set(record) - set(range(1, version + 1)))
    demand(not strange, f"recorded, and never made: {strange[:5]}")


def expired_guest(shop, number=0):
    """A row that is to be removed from PostgreSQL: whether what is done from time to time is done. Its id."""
    name = f"ended{number}"
    shop.sql(
        "INSERT INTO cart.carts (owner_kind, owner_id, epoch, data_epoch, version, expires_at, updated_at)"
        f" VALUES ('guest', '{name}', 1, 1, 1, now() - interval '40 days', now() - interval '70 days')"
    )
    return name


def await_removal(shop, name):
    wait_until(
        lambda: not shop.number(f"SELECT count(*) FROM cart.carts WHERE owner_id = '{name}'"), TASK_SECONDS,
        "an ended guest's row to be removed",
    )  # fmt: skip


@misbehaviour
def nothing(shop, bystander):
    """Nothing"""
    with bystander.shopping():
        time.sleep(SECONDS)
