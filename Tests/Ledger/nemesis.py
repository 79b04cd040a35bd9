"""What goes wrong, and when: by a seed, one fault after the other. Runs in the main thread, which the servers that it
starts live as long as."""

import random
import signal
import time

import audit
from books import Loss, Setback, now
from harness import wire
from harness.processes import signal_own, wait_until
from harness.servers import RedisServer
from nuisances import NUISANCES, Nuisances
from partitions import Partitions
from steps import CANCEL_STEPS, MERGE_STEPS, ORDER_STEPS, POSTGRES_STEPS, REDIS_STEPS

# Redis loses what it has.
LOSING = {"flush", "rollback", "replica"}
KINDS = (
    "steps", "worker", "syncer", "redis", "pause-worker", "pause-syncer", "pause-redis", "flush", "rollback",
    "replica", "attach", "partition", "guarded-partition", "pg-restart", "pg-hang", "pg-rollback", *NUISANCES,
)  # fmt: skip
# A change is in PostgreSQL within a second; a busy machine may take a little longer.
WINDOW = 1.5
LONGEST_PAUSE = 3.0
# How long a disturbance of the syncer may be felt: until a dead one's work is taken over, and done.
AFTERMATH = 8.0


# What a killed Redis may lose although it writes down all it does.
KILL_WINDOW = 2.5
# How long a death may go unnoticed.
TICK = 0.3
# For the first round of faults.
LONGEST_DELAY = 45.0
# Without a syncer.
PATIENCE = 3.0


class Nemesis(Nuisances, Partitions):
    def __init__(self, system, books, seed, kinds, pauses=LONGEST_PAUSE, heavy=()):
        """`heavy`: SKUs of a cart that has as many lines as it may."""
        self.system = system
        self.books = books
        self.random = random.Random(f"{seed} nemesis")
        self.kinds = list(kinds)
        self.pauses = pauses
        self.waiting = []
        self.counts = dict.fromkeys(self.kinds, 0)
        self.timeline = []
        self.paused = []
        self.disturbed_until = 0.0
        self.has_snapshot = False
        self.has_copy = False
        self.copied_at = 0.0
        self.replicas = 0
        self.togglers = 0
        self.strays = 0
        self.strangers = 0
        self.heavy = heavy
        self.syncer_seen = now()
        self.record_lag = 0.0
        self.longest_lag = 0.0
        self.longest_undisturbed_lag = 0.0

    def run(self, seconds):
        end = now() + seconds
        rounds = 0
        # Everything that can go wrong does so once at least.
        while now() < end or rounds == 1 and self.waiting and now() < end + LONGEST_DELAY:
            self.rest(self.random.uniform(0.1, 0.5))
            if not self.waiting:
                rounds += 1
                self.waiting = self.random.sample(self.kinds, len(self.kinds)) if self.kinds else []
                # The steps are many.
                if "steps" in self.kinds:
                    self.waiting += ["steps"] * (len(self.kinds) // 2)
                    self.random.shuffle(self.waiting)
            if self.waiting:
                kind = self.waiting.pop()
                self.strike(kind)
        self.calm()

    def tend(self):
        """Starts what was killed, and notes what Redis may have lost by that.

        It writes to its file before it answers, but not while the kernel still takes in what it wrote before: for up
        to two seconds it answers first.
        """
        was_killed, at = self.system.redis.process.poll() is not None, now()
        self.system.tend()
        if was_killed:
            quantities, owners = self.persisted()
            self.books.lose(Loss("kill", at - KILL_WINDOW, at - KILL_WINDOW, at - TICK, at, quantities, owners))

    def strike(self, kind):
        self.tend()
        began = now()
        name = "do_" + kind.replace("-", "_")
        try:
            done = getattr(self, name)()
        except (OSError, wire.RedisError) as error:
            # A step has just killed what this fault needed, and may do so again.
            wait_until(lambda: self.tend() or self.system.redis.answers(), 20, f"Redis after {kind}: {error}")
            return
        if done is not False:
            self.counts[kind] += 1
            self.timeline.append(f"{began:.2f}–{now():.2f} {kind}")

    def rest(self, seconds):
        """Lets time pass, wakes what was stopped for long enough, and starts what steps have killed."""
        end = now() + seconds
        while True:
            for entry in [entry for entry in self.paused if entry[0] <= now()]:
                self.paused.remove(entry)
                self.send(entry[1], signal.SIGCONT)
            self.tend()
            self.hurry_master()
            if now() >= end:
                return
            time.sleep(min(0.05, max(0, end - now())))

    def hurry_master(self):
        """A syncer that is killed again and again is started after ever longer pauses. A reload forgets about them."""
        if self.system.syncers():
            self.syncer_seen = now()
        elif now() - self.syncer_seen > PATIENCE:
            self.send(self.system.master.pid, signal.SIGHUP)
            self.syncer_seen = now()

    def calm(self):
        """Ends all faults."""
        for proxy in (self.system.redis_proxy, self.system.postgres_proxy):
            proxy.order("clear")
            proxy.order("hang", False)
        self.rest(max([0.0] + [entry[0] - now() for entry in self.paused]))
        self.tend()

    def disturb(self):
        self.disturbed_until = now() + AFTERMATH

    def send(self, pid, number):
        signal_own(pid, number, self.system.own())

    # --- steps --------------------------------------------------------------------------------------------------------

    def do_steps(self):
        for _ in range(self.random.randint(1, 3)):
            if self.random.random() < 0.5:
                store, step = self.random.choice(ORDER_STEPS + CANCEL_STEPS + MERGE_STEPS)
            elif self.random.random() < 0.6:
                store, step = "redis", self.random.choice(REDIS_STEPS)
            else:
                store, step = "postgres", self.random.choice(POSTGRES_STEPS)
            proxy = self.system.redis_proxy if store == "redis" else self.system.postgres_proxy
            side = self.random.choice(["before", "after"])
            action = self.random.choice(["kill", "kill", "cut", "cut", "delay", "delay", "hold", "kill store"])
            seconds = self.random.uniform(0, 0.5)
            if action == "hold":
                action, seconds = "delay", self.random.uniform(0.5, self.pauses)
            proxy.order("rule", step, side, action, seconds, self.random.randint(1, 2))
        self.disturb()

    # --- processes ----------------------------------------------------------------------------------------------------

    def do_worker(self):
        workers = self.system.workers()
        if not workers:
            return False
        self.send(self.random.choice(workers), signal.SIGKILL)
        return True

    def do_syncer(self):
        self.disturb()
        for pid in self.system.syncers():
            self.send(pid, signal.SIGKILL)

    def do_redis(self):
        self.disturb()
        self.system.redis.kill()
        self.rest(self.random.choice([0, 0.3]))

    def pause(self, pids):
        if not pids:
            return False
        pid = self.random.choice(pids)
        self.send(pid, signal.SIGSTOP)
        self.paused.append((now() + self.random.uniform(0.1, self.pauses), pid))
        return True

    def do_pause_worker(self):
        return self.pause(self.system.workers())

    def do_pause_syncer(self):
        self.disturb()
        return self.pause(self.system.syncers())

    def do_pause_redis(self):
        self.disturb()
        process = self.system.redis.process
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.1, self.pauses))
        process.send_signal(signal.SIGCONT)

    # --- Redis loses what it has --------------------------------------------------------------------------------------

    def lag(self):
        """For how many seconds the oldest change waits for PostgreSQL."""
        with wire.Redis(self.system.redis.socket) as redis:
            unreadable = {f"cart:{kind}:{name}" for kind, name in self.system.unreadable}
            dirty = redis("ZRANGE", "cart:dirty", 0, len(unreadable), "WITHSCORES")
            oldest = next((float(at) for key, at in zip(dirty[::2], dirty[1::2]) if key not in unreadable), None)
            events = redis("XRANGE", "cart:stream", "-", "+", "COUNT", 1)
            seconds, microseconds = redis("TIME")
        time_there = int(seconds) + int(microseconds) / 1e6
        lag = time_there - oldest / 1000 if oldest else 0.0
        # The record of changes comes later than the carts where a syncer has died with its work.
        self.record_lag = time_there - float(events[0][0].partition("-")[0]) / 1000 if events else 0.0
        return lag

    def lose(self, kind, act):
        """Lets Redis lose something, and notes what PostgreSQL had just before."""
        window = WINDOW
        quantities, owners = self.persisted()
        lag = self.lag()
        self.longest_lag = max(self.longest_lag, lag)
        if now() > self.disturbed_until:
            self.longest_undisturbed_lag = max(self.longest_undisturbed_lag, lag)
        else:
            # A mark may be younger than the change that it is for.
            window = max(window, lag + 0.5, self.record_lag + 0.5)
        began = now()
        act()
        unrecorded = began - max(window, self.record_lag + 0.5)
        self.books.lose(Loss(kind, began - window, unrecorded, began, now(), quantities, owners))

    def persisted(self):
        """What PostgreSQL has: SKU → quantity, and the owners of carts."""
        rows = self.ask(
            "SELECT owner_kind AS kind, owner_id AS id, l ->> 'sku' AS sku, (l ->> 'quantity')::int AS quantity"
            " FROM carts LEFT JOIN LATERAL jsonb_array_elements(lines) AS l ON true WHERE version > 0"
        )
        quantities = {row["sku"]: row["quantity"] for row in rows if row["sku"] is not None}
        return quantities, {(row["kind"], row["id"]) for row in rows}

    def ask(self, query):
        """What PostgreSQL has now."""
        return self.insist(lambda: self.system.postgres.rows(query))

    def insist(self, question):
        """Asks PostgreSQL, which a step may have stopped a moment ago."""
        end = now() + 20
        while True:
            try:
                if self.system.postgres.process.poll() is not None:
                    self.system.postgres.start()
                    self.system.tell_victims()
                return question()
            except RuntimeError:
                if now() > end:
                    raise
                time.sleep(0.05)

    def demand(self, condition, seconds, what, details=""):
        """What must come about in that time: that it does not is none of the errors that a fault may meet."""
        try:
            wait_until(lambda: self.rest(0.05) or condition(), seconds, what)
        except TimeoutError as error:
            raise RuntimeError(f"{error} {details}") from error

    def do_flush(self):
        def flush():
            with wire.Redis(self.system.redis.socket) as redis:
                redis("FLUSHALL")

        self.lose("flush", flush)

    def do_rollback(self):
        if not self.has_snapshot:
            self.system.redis.save()
            self.has_snapshot = True
            self.rest(self.random.uniform(0.3, 2))
            if not self.system.redis.answers():
                return False
        self.lose("rollback", self.system.redis.kill)
        self.system.redis.go_back()
        self.system.tell_victims()
        self.has_snapshot = self.random.random() < 0.5
        self.disturb()
        return True

    def do_replica(self):
        system = self.system
        self.replicas += 1
        replica = RedisServer(f"{system.folder}/replica{self.replicas}", follows=system.redis)
        try:
            with wire.Redis(replica.socket) as link:
                wait_until(lambda: "master_link_status:up" in link("INFO", "replication"), 10, "the replica")
                time.sleep(self.random.uniform(0, 0.3))
                # From here on it misses what is written.
                link("REPLICAOF", "127.0.0.1", "1")
                self.rest(self.random.uniform(0, 1.5))
                self.lose("replica", system.redis.kill)
                link("REPLICAOF", "NO", "ONE")
        except BaseException:
            replica.kill()
            raise
        self.follow(replica)

    def do_attach(self):
        """A first replica comes: Redis begins another history, and who is connected does not notice."""
        self.replicas += 1
        replica = RedisServer(f"{self.system.folder}/replica{self.replicas}", follows=self.system.redis)
        try:
            with wire.Redis(replica.socket) as link:
                wait_until(lambda: "master_link_status:up" in link("INFO", "replication"), 10, "the replica")
        finally:
            replica.kill()
        # Somebody who connects now sees it.
        self.do_worker()

    # --- PostgreSQL ---------------------------------------------------------------------------------------------------

    def do_pg_restart(self):
        self.disturb()
        self.system.postgres.stop()
        time.sleep(self.random.uniform(0, 1))
        self.tend()
        self.disturb()

    def do_pg_hang(self, seconds=None):
        self.disturb()
        family = self.system.postgres.family()
        for pid in family:
            self.send(pid, signal.SIGSTOP)
        time.sleep(seconds or self.random.uniform(0.3, self.pauses))
        for pid in family:
            self.send(pid, signal.SIGCONT)
        self.disturb()

    def do_pg_rollback(self):
        postgres = self.system.postgres
        self.disturb()
        if not self.has_copy:
            self.copied_at = now()
            postgres.stop()
            postgres.save()
            postgres.start()
            self.system.tell_victims()
            self.has_copy = True
            self.timeline.append(f"{now():.2f} PostgreSQL is copied")
            self.rest(self.random.uniform(0.5, 2.5))
        postgres.stop()
        postgres.go_back()
        self.system.tell_victims()
        self.has_copy = False
        self.books.set_back.append(Setback(self.copied_at, now()))
        self.timeline.append(f"{now():.2f} PostgreSQL is back in an older state")
        self.await_resync()
        self.disturb()

    def await_resync(self):
        """Until then PostgreSQL lacks what Redis alone has: two losses at once are not survived."""
        wanted, left, reading = {}, {}, []

        def is_done():
            try:
                if not reading:
                    carts = audit.read_stores(self.system)[0]
                    # What is left of a merged guest's cart is no copy of it.
                    wanted.update((owner, place(cart)) for owner, cart in carts.items() if cart["state"] != 2)
                    reading.append(now())
                rows = self.ask("SELECT owner_kind, owner_id, data_epoch AS epoch, version, state FROM carts")
            except (OSError, RuntimeError, wire.RedisError):
                return False
            there = {(row["owner_kind"], row["owner_id"]): row for row in rows}
            left.clear()
            for owner, copy in wanted.items():
                row = there.get(owner)
                # One that was merged since goes on in a user's cart.
                if row is None or row["state"] != 2 and place(row) < copy:
                    left[owner] = copy, row
            return not left

        self.demand(is_done, 30, "PostgreSQL to be told everything anew", left)


def place(copy):
    """Of a copy of a cart in time."""
    return copy["epoch"], copy["version"]
