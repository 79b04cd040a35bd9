"""What a shopper does beside filling carts: he orders, sends an order again, cancels it, logs in."""

from books import Wish, now
from harness import wire

REFUSALS = {"cart_empty", "cart_not_ready", "total_changed", "line_not_found"}
MOST_NAMED = 5


class Buying:
    """A part of `Shopper`."""

    def ask(self, cart, method, uri, body=None, **params):
        """A request that is not about the cart itself, until its outcome is known: (the answer or None, sent)."""
        sent = now()
        for attempt in range(self.ATTEMPTS):
            try:
                answer = wire.request(self.listen, method, uri, body, **self.identity(cart), **params)
                self.books.count(answer.status)
                code = answer.json.get("code") if answer.json else None
                if answer.status < 500 and code != "request_in_progress":
                    return answer, sent
            except wire.Cut:
                self.books.count("cut")
            if self.stopping.wait(0.02 * 2**attempt * self.random.random()):
                break
            self.books.retries += 1
        return None, sent

    # --- orders -------------------------------------------------------------------------------------------------------

    def order(self, cart):
        """Orders what the cart is seen to hold: some lines by their names, or all of it."""
        seen = self.send(cart, "GET", "/v1/cart")
        if seen is None or not seen.json["lines"]:
            return
        lines = [line for line in seen.json["lines"] if line["selected"]]
        body = {"expectedTotal": seen.json["totals"]["selected"], "data": {"by": self.number}}
        if self.random.random() < 0.6:
            lines = self.random.sample(lines, min(len(lines), self.random.randint(1, MOST_NAMED)))
            body |= {"skus": [line["sku"] for line in lines], "expectedTotal": sum(line["lineTotal"] for line in lines)}
        if not lines:
            return
        self.wishes += 1
        wish = Wish(f"{self.number}-{self.wishes}", cart, body, {line["sku"]: line["quantity"] for line in lines})
        self.books.wish(wish)
        for sku in wish.lines:
            # Who can't tell whether it was ordered does nothing more to it.
            self.lines.pop(sku, None)
        if cart is not self.own:
            self.market.wishes.append(wish)
        self.place(wish)

    def place(self, wish):
        """Sends an order, for the first time or again."""
        name = {"HTTP_IDEMPOTENCY_KEY": wish.key, "REQUEST_ID": f"order {wish.key}"}
        answer, sent = self.ask(wish.cart, "POST", "/v1/orders", wish.body, **name)
        wish.note(answer, sent)
        if answer is None or answer.status in (200, 201):
            return
        if answer.json["code"] not in REFUSALS:
            raise RuntimeError(f"order {wish.key}: status {answer.status}: {answer.json}")

    def order_again(self):
        """Somebody's order of a shared cart, perhaps while it is on its way; or the own one that came last."""
        wishes = list(self.market.wishes)
        if wishes:
            self.place(self.random.choice(wishes))

    def cancel(self):
        """Cancels one of the own orders that stand."""
        wishes = [wish for wish in self.books.wishes[-200:] if wish.order and wish.body["data"]["by"] == self.number]
        if not wishes:
            return
        wish = self.random.choice(wishes)
        wish.is_to_be_cancelled = True
        answer, sent = self.ask(wish.cart, "POST", f"/v1/orders/{wish.order['id']}/cancel")
        wish.cancellations.append((sent, None if answer is None else now(), answer))

    # --- stock that runs out ------------------------------------------------------------------------------------------

    def add_scarce(self, cart):
        """Adds what there is little of, and everybody wants."""
        if not cart.admits():
            return
        sku = self.random.choice(self.products.scarce)
        self.scarce += 1
        name = f"{sku} {self.number}-{self.scarce}"
        answer, _, _ = self.change(cart, "POST", "/v1/cart/lines", {"sku": sku}, name, **self.key(name))
        cart.is_founded_now = False
        if answer is None or answer.status == 200:
            self.books.take_scarce(sku)

    # --- logins -------------------------------------------------------------------------------------------------------

    def log_in(self, cart):
        """The guest becomes a user; whoever uses this cart does so as both from here on."""
        with cart.turn:
            if cart.kind != "guest" or not cart.owners or cart.user:
                return
            user = f"known {cart.name.partition('.')[0]}"
            cart.owners.add(("user", user))
            cart.user, cart.logged_in_at = user, now()
        self.books.logins += 1
        answer, _ = self.ask(cart, "POST", "/v1/cart/merge", {})
        if cart is not self.own:
            return
        if answer is None:
            # It is merged later.
            self.own = None
        elif answer.status != 200 and answer.json["code"] != "nothing_to_merge":
            raise RuntimeError(f"a merge: status {answer.status}: {answer.json}")
