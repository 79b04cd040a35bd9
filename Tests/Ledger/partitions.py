"""A replica takes the place of a Redis that is cut off from it, while everybody goes on at the old one until the new one
serves, and then for as long as it lets them."""

from books import Loss, now
from harness import wire
from harness.processes import end
from harness.servers import Gate, RedisServer

# A deposed Redis acknowledges nothing any more within.
NOTICED_WITHIN = 2.5
# What it acknowledges after that is lost, and nobody excuses it.
BEYOND = 0.5
# Older changes are in PostgreSQL, as long as nothing else goes wrong.
PERSISTED_WITHIN = 1.5


class Partitions:
    """A part of `Nemesis`."""

    def do_partition(self):
        """What the old one acknowledges after the promotion may be lost, and nothing else."""
        return self.depose(is_guarded=False)

    def do_guarded_partition(self):
        """The old one acknowledges nothing that a replica does not get in time: nothing is lost."""
        return self.depose(is_guarded=True)

    def depose(self, is_guarded):
        self.await_peace()
        old, cable = self.system.redis, Gate(self.system.redis.port)
        self.replicas += 1
        replica = RedisServer(f"{self.system.folder}/replica{self.replicas}", follows=cable)
        try:
            with wire.Redis(old.socket) as primary, wire.Redis(replica.socket) as link:
                self.demand(lambda: "master_link_status:up" in link("INFO", "replication"), 30, "the replica")
                if is_guarded:
                    primary("CONFIG", "SET", "min-replicas-max-lag", 1)
                    primary("CONFIG", "SET", "min-replicas-to-write", 1)
                self.rest(self.random.uniform(0.2, 1))
                cable.hold()
                if is_guarded:
                    # Whoever decides on a promotion waits for longer than that.
                    self.demand(lambda: is_alone(primary), 30, "the old one to see that it is alone")
                    self.rest(PERSISTED_WITHIN)
                link("REPLICAOF", "NO", "ONE")
            promoted = now()
            if not is_guarded:
                self.rest(PERSISTED_WITHIN)
            self.serve_from(replica)
            quantities, owners = self.persisted()
            until = now() + NOTICED_WITHIN
            if not is_guarded:
                self.books.lose(Loss("partition", promoted, promoted, promoted, until, quantities, owners))
            self.rest(NOTICED_WITHIN + BEYOND)
        except BaseException:
            replica.kill()
            raise
        finally:
            cable.shut()
        old.kill()
        self.follow(replica)

    def await_peace(self):
        """Ends all other faults, and waits until they are felt no more."""
        self.calm()
        self.demand(lambda: bool(self.system.syncers()) and self.lag() < 0.5, 20, "the syncer")
        self.disturbed_until = min(self.disturbed_until, now())

    def serve_from(self, redis):
        """Has another cartd serve from it, until a change was made there."""
        listen = self.system.second_cartd(redis)
        user = f"beyond{self.replicas}"
        self.books.add_cart("user", user, 0)
        change = "POST", "/v1/cart/lines", {"sku": self.heavy[0]}

        def is_served():
            try:
                return wire.request(listen, *change, CART_USER=user).status == 200
            except wire.Cut:
                return False

        try:
            self.demand(is_served, 20, "the new one to serve")
        finally:
            end(self.system.others.pop())

    def follow(self, redis):
        """Everybody uses another Redis from here on."""
        self.system.redis = redis
        self.system.redis_proxy.order("target", redis.socket)
        self.system.tell_victims()
        self.has_snapshot = False
        self.disturb()


def is_alone(redis):
    return "min_slaves_good_slaves:0" in redis("INFO", "replication")
