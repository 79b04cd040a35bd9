"""A shop of one's own with a proxy before each store."""

import os

from harness import system
from harness.servers import ROLE
from proxies import ProxyProcess


class System(system.System):
    """`cartd` and its syncer reach the stores through the proxies only."""

    def __init__(self, folder, binaries, workers, seed):
        super().__init__(folder, binaries, workers)
        # Owners of carts that somebody has made unreadable: nobody counts them.
        self.unreadable = set()
        proxies = os.path.join(folder, "proxies")
        os.mkdir(proxies, 0o711)
        self.redis_proxy = ProxyProcess("redis", os.path.join(proxies, "redis.sock"), self.redis.socket, seed)
        name = ".s.PGSQL.5432"
        real = os.path.join(self.postgres.folder, name)
        self.postgres_proxy = ProxyProcess("postgres", os.path.join(proxies, name), real, seed)
        self.environment |= {
            "CART_REDIS": f"unix:{proxies}/redis.sock",
            "CART_DATABASE": f"host={proxies} port=5432 user={ROLE} dbname={ROLE}",
        }

    def proxy(self, store):
        return self.redis_proxy if store == "redis" else self.postgres_proxy

    def start_cartd(self):
        super().start_cartd()
        self.tell_victims()

    def start_syncer(self):
        self.syncer = self.run_cartd("--syncer")
        self.tell_victims()

    def tell_victims(self):
        """Which processes the proxies may kill at a step."""
        ancestors = [process.pid for process in self.cartds()]
        self.redis_proxy.order("victims", [*ancestors, self.redis.process.pid])
        self.postgres_proxy.order("victims", [*ancestors, self.postgres.process.pid])

    def tend(self):
        """Starts anew what a step has killed and nobody else starts. The caller sees to it that it is not alone."""
        for store in (self.redis, self.postgres):
            if store.process.poll() is not None:
                store.start()
                self.tell_victims()
        if self.syncer and self.syncer.poll() is not None:
            self.start_syncer()

    def stop(self):
        for proxy in (self.redis_proxy, self.postgres_proxy):
            proxy.order("hang", False)
        super().stop()
        self.redis_proxy.stop()
        self.postgres_proxy.stop()
