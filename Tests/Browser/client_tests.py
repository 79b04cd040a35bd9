"""The JavaScript client on a bare page: what it asks for, in which order, and what it makes of the answers."""

import gzip
import json
import re
import unittest

from selenium.webdriver.common.by import By

from browser import CLIENT, INSTANCE, BrowserTests
from harness.servers import ROOT
from harness.shop import URL, product, unique
from harness.web import Exchange
from shop_proxy import Cut, Hold, Refuse

PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Bare</title><link rel="icon" href="data:,">
<script>
  // All that waits, waits a twentieth.
  if (location.search.includes('hasty')) {
    const inTime = window.setTimeout;
    window.setTimeout = (task, time) => inTime(task, time / 20);
  }
  if (location.search.includes('bare')) {
    delete window.BroadcastChannel;
    delete Crypto.prototype.randomUUID;
  }
</script>
<script type="module">
  import * as client from '/v1/cart.js';
  window.open_ = options => {
    window.cart?.close();
    window.changes = [];
    window.cart = new client.Cart(options);
    cart.addEventListener('change', ({ detail }) => changes.push(detail));
  };
  window.refused = promise => promise.then(() => 'carried out', error => {
    if (!(error instanceof client.CartError)) throw error;
    const { code, status, problem, retryAfter, isUnknown, message } = error;
    return { code, status, problem, retryAfter, isUnknown, message };
  });
  open_();
</script>
"""


class ClientTests(BrowserTests):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sku = unique("plain")
        INSTANCE.import_products([product(cls.sku, name="Plain")])

    def setUp(self):
        super().setUp()
        # The file itself, so that a change to it is tried without a build.
        self.proxy.pages["/v1/cart.js"] = "text/javascript", CLIENT.read_bytes()

    def open(self, page="page", user=None):
        """Opens the bare page for a user; None is this test's own, and an empty one is a guest."""
        name, _, query = page.partition("?")
        self.proxy.pages[f"/{page}"] = "text/html", PAGE
        self.browser.get(f"{self.proxy.url}/{name}{'?' + query if query else ''}")
        user = self.user if user is None else user
        if user:
            self.log_in(user)
        self.browser.wait_until("window.cart")

    def log_in(self, user):
        self.browser.run("document.cookie = `demoUser=${args[0]}; path=/`", user)

    def open_window(self, page):
        self.browser.switch_to.new_window("window")
        self.open(page)
        return self.browser.current_window_handle


class Queue(ClientTests):
    def test_requests_go_out_one_after_the_other(self):
        self.open()
        held = self.proxy.fail(Hold("POST /v1/cart/lines"))
        self.browser.run("""
            window.answers = [];
            const [sku] = args;
            for (const [name, promise] of Object.entries({
              add: cart.add(sku), set: cart.set(sku, 5), delta: cart.set(sku, { delta: -2 }), read: cart.refresh(),
            })) promise.then(state => answers.push([name, state.version, cart.pending]));
        """, self.sku)
        self.proxy.wait_for("POST", are_answered=False)
        self.assertEqual(self.browser.run("return [cart.pending, cart.state]"), [4, None])
        self.assertEqual(len(self.proxy.requests), 1)
        held.release()
        answers = self.browser.wait_until("answers.length === 4 && answers")
        self.assertEqual(answers, [["add", 1, 3], ["set", 2, 2], ["delta", 3, 1], ["read", 3, 0]])
        self.assertEqual([request.method for request in self.proxy.requests], ["POST", "PATCH", "PATCH", "GET"])
        self.assertEqual(self.browser.run("return cart.state.lines[0].quantity"), 3)
        keys = {request.key for request in self.proxy.requests[:3]}
        self.assertEqual(len(keys), 3)
        self.assertIsNone(self.proxy.requests[3].key)

    def test_a_refusal_does_not_stop_the_queue(self):
        self.open()
        outcome = self.browser.run("""
            const bad = refused(cart.add('no such thing'));
            const good = cart.add(args[0], 2);
            return [await bad, (await good).lines[0].quantity, changes.length];
        """, self.sku)
        self.assertEqual((outcome[0]["status"], outcome[0]["code"]), (422, "unknown_sku"))
        # The refusal had no cart, so it told nothing.
        self.assertEqual(outcome[1:], [2, 1])

    def test_refreshes_that_wait_are_one(self):
        self.open()
        self.browser.run("await Promise.all([cart.refresh(), cart.refresh(), cart.refresh()])")
        self.assertEqual(len(self.proxy.asked("GET /v1/cart$")), 1)


class Retries(ClientTests):
    def test_after_503_under_the_same_key(self):
        self.open()
        self.proxy.fail(Refuse("POST", 503, headers=[("Retry-After", "1")]))
        seconds = self.browser.run(
            "const start = performance.now(); await cart.add(args[0]); return (performance.now() - start) / 1000",
            self.sku)
        self.assertGreaterEqual(seconds, 1)
        first, second = self.proxy.asked("POST")
        self.assertTrue(first.key)
        self.assertEqual((first.key, first.body), (second.key, second.body))

    def test_after_a_lost_answer_counts_once(self):
        self.open()
        self.proxy.fail(Cut("POST", times=2))
        outcome = self.browser.run("""
            const state = await cart.add(args[0]);
            return [state.lines[0].quantity, state.version, changes.map(change => change.isReplayed)];
        """, self.sku)
        self.assertEqual(outcome, [1, 1, [True]])
        attempts = self.proxy.asked("POST")
        self.assertEqual([request.status for request in attempts], [0, 0, 200])
        self.assertEqual(len({request.key for request in attempts}), 1)

    def test_after_an_answer_that_breaks_off_or_is_somebody_elses(self):
        self.open()
        self.proxy.fail(Refuse("POST", 200, body=b"<h1>Welcome to our hotel</h1>"))
        self.proxy.fail(Refuse("POST", 502))
        self.assertEqual(self.browser.run("return (await cart.add(args[0])).version", self.sku), 1)
        self.assertEqual(len({request.key for request in self.proxy.asked("POST")}), 1)
        self.assertEqual(len(self.proxy.asked("POST")), 3)

    def test_are_bounded(self):
        self.open("page?hasty")
        self.proxy.fail(Refuse("POST", 504, times=99))
        error = self.browser.run("return await refused(cart.add(args[0]))", self.sku)
        self.assertEqual((error["code"], error["status"], error["isUnknown"]), ("http_504", 504, True))
        self.assertEqual(len(self.proxy.asked("POST")), 5)
        self.proxy.fail(Cut("GET", times=99))
        error = self.browser.run("return await refused(cart.refresh())")
        self.assertEqual((error["code"], error["status"], error["problem"]), ("network", 0, None))

    def test_do_not_wait_for_ever(self):
        self.open()
        self.proxy.fail(Refuse("POST", 503, headers=[("Retry-After", "600")]))
        error = self.browser.run("return await refused(cart.add(args[0]))", self.sku)
        self.assertEqual((error["retryAfter"], len(self.proxy.requests)), (600, 1))

    def test_nothing_else_is_repeated(self):
        self.open()
        for status in (404, 500):
            self.proxy.fail(Refuse("POST", status))
            error = self.browser.run("return await refused(cart.add(args[0]))", self.sku)
            self.assertEqual((error["code"], error["isUnknown"]), (f"http_{status}", False))
        self.assertEqual(len(self.proxy.requests), 2)

    def test_a_request_in_progress_is_waited_out(self):
        self.open("page?hasty")
        problem = json.dumps({"title": "Conflict", "status": 409, "code": "request_in_progress"}).encode()
        self.proxy.fail(Refuse("POST", 409, times=8, headers=[("Retry-After", "1")], body=problem))
        self.assertEqual(self.browser.run("return (await cart.add(args[0])).version", self.sku), 1)
        self.assertEqual(len({request.key for request in self.proxy.asked("POST")}), 1)

    def test_a_change_outlives_its_page(self):
        self.open("first")
        first = self.browser.current_window_handle
        self.open_window("second")
        # All of the browser's connections are busy, so that the change has not left when the page does.
        self.proxy.fail(Hold("GET /busy", times=6))
        self.browser.run("for (let number = 0; number < 6; number++) fetch(`/busy?${number}`)")
        self.proxy.wait_for("GET /busy", 6, are_answered=False)
        self.browser.run("cart.add(args[0])", self.sku)
        self.browser.close()
        self.browser.switch_to.window(first)
        self.proxy.wait_for("POST")
        self.assertEqual(self.browser.run("return (await cart.refresh()).version"), 1)


class Looking(ClientTests):
    def focus(self):
        self.browser.run("window.dispatchEvent(new Event('focus'))")

    def test_again_costs_nothing_where_nothing_has_changed(self):
        self.open()
        tag = self.browser.run("await cart.add(args[0]); window.before = cart.state; return before.version", self.sku)
        self.focus()
        (request,) = self.proxy.wait_for("GET /v1/cart")
        self.assertEqual(request.status, 304)
        self.assertRegex(request.headers["If-None-Match"], f'^(W/)?"{tag}-')
        self.browser.wait_until("cart.pending === 0")
        self.assertEqual(self.browser.run("return [cart.state === before, changes.length]"), [True, 1])

    def test_again_brings_what_another_device_did(self):
        self.open()
        self.browser.run("await cart.add(args[0])", self.sku)
        self.browser.run("""
            await fetch('/v1/cart/lines', { method: 'POST', body: JSON.stringify({ sku: args[0], quantity: 4 }),
              headers: { 'Content-Type': 'application/json' } });
        """, self.sku)
        self.focus()
        self.assertEqual(self.browser.wait_until("changes.length === 2 && changes[1].cart.counts.quantity"), 5)

    def test_at_a_tab_that_was_hidden(self):
        self.open()
        self.browser.run("await cart.refresh()")
        here = self.browser.current_window_handle
        self.browser.switch_to.new_window("tab")
        self.browser.switch_to.window(here)
        self.proxy.wait_for("GET /v1/cart", 2)

    def test_again_after_a_way_back(self):
        self.open()
        self.browser.run("await cart.refresh(); window.isStillHere = true")
        self.proxy.pages["/another"] = "text/html", b"<title>Another</title>"
        self.browser.get(f"{self.proxy.url}/another")
        self.browser.back()
        self.assertTrue(self.browser.wait_until("window.isStillHere"), "no page cache")
        self.proxy.wait_for("GET /v1/cart", 2)

    def test_again_when_the_network_is_back(self):
        self.open()
        self.browser.run("await cart.refresh(); window.dispatchEvent(new Event('online'))")
        self.proxy.wait_for("GET /v1/cart", 2)

    def test_ends_with_close(self):
        self.open()
        self.browser.run("await cart.refresh(); cart.close()")
        self.focus()
        self.assertEqual(self.browser.run("return (await refused(cart.refresh())).code"), "closed")
        self.assertEqual(len(self.proxy.requests), 1)

    def test_a_database_that_is_behind_shows_no_older_cart(self):
        self.open()
        older = json.dumps(self.browser.run("return await cart.add(args[0])", self.sku)).encode()
        self.browser.run("await cart.set(args[0], 2)", self.sku)
        self.proxy.fail(Refuse("GET", 200, headers=[("Cart-Source", "database")], body=older))
        seen = "return [cart.source, cart.state.version, changes.length]"
        self.assertEqual(self.browser.run("await cart.refresh();" + seen), ["database", 2, 3])
        # That things are well again is told as well.
        self.assertEqual(self.browser.run("await cart.refresh();" + seen), ["live", 2, 4])
        self.assertEqual(self.proxy.requests[-1].status, 304)


class Tabs(ClientTests):
    def test_stay_in_step(self):
        self.open("first")
        self.browser.run("await cart.refresh()")
        first = self.browser.current_window_handle
        second = self.open_window("second")
        self.browser.run("""
            window.heard = [];
            new BroadcastChannel(`cart ${location.origin}/v1`).onmessage = ({ data }) => heard.push(data);
            await cart.refresh();
        """)
        self.browser.switch_to.window(first)
        self.browser.run("await cart.add(args[0], 3)", self.sku)
        by_second = lambda: [one for one in self.proxy.asked("GET") if one.headers["Referer"].endswith("second")]
        self.proxy.wait_until(lambda: len(by_second()) == 2, "the second window asks")
        self.browser.switch_to.window(second)
        self.browser.wait_until("cart.state.counts.quantity === 3")
        heard = self.browser.run("return heard")
        self.assertIn({"version": 1, "owner": "user"}, heard)
        self.assertEqual({key for message in heard for key in message}, {"version", "owner"})

    def test_are_another_shoppers_after_a_login(self):
        self.open("first")
        self.browser.run("await cart.add(args[0])", self.sku)
        first = self.browser.current_window_handle
        second = self.open_window("second")
        self.browser.run("await cart.refresh()")
        # Both have a change on its way when the shopper changes.
        held = self.proxy.fail(Hold("PATCH", times=2))
        late = "window.late = refused(cart.set(args[0], 7)); window.later = refused(cart.clear())"
        self.browser.run(late, self.sku)
        self.browser.switch_to.window(first)
        self.browser.run(late, self.sku)
        self.proxy.wait_for("PATCH", 2, are_answered=False)
        self.log_in(other := unique("other"))
        shown = self.browser.run("const done = cart.reset(); return [cart.state, (await done).version]")
        self.assertEqual(shown, [None, 0])
        held.release()
        codes = "return [(await late).code, (await later).code, cart.state.version]"
        self.assertEqual(self.browser.run(codes), ["shopper_changed", "shopper_changed", 0])
        self.browser.switch_to.window(second)
        self.browser.wait_until("cart.state && cart.state.version === 0")
        self.assertEqual(self.browser.run(codes), ["shopper_changed", "shopper_changed", 0])
        self.assertEqual(self.proxy.asked("DELETE"), [])
        self.assertTrue(all(f"demoUser={other}" in one.headers["Cookie"] for one in self.proxy.asked("GET")[-2:]))


class Methods(ClientTests):
    def test_each_does_what_it_says(self):
        skus = [f"{self.sku} {part}" for part in ("ünï ✓", "a b/c?d&e+%20#%", ";x=1")]
        INSTANCE.import_products(
            product(sku, unitPrice=250, merchantId=f"m{i % 2} &") for i, sku in enumerate(skus))
        self.open()
        self.assertEqual(self.browser.run("""
            const [skus] = args;
            const seen = [];
            const see = ({ lines, counts, totals }) => seen.push(
              [lines.map(line => line.quantity), counts.selectedLines, totals.selected]);
            see(await cart.addAll(skus.map((sku, index) => ({ sku, quantity: index + 1 }))));
            see(await cart.add(skus[0], 2, { gift: true }));
            see(await cart.set(skus[1], { delta: 3, selected: false, extraData: { note: 'ß' } }));
            see(await cart.select(false, 'all'));
            see(await cart.select(true, { merchantId: 'm0 &' }));
            see(await cart.select(false, skus[0]));
            see(await cart.select(true, [skus[0], skus[1]]));
            see(await cart.remove(skus[1]));
            see(await cart.add(skus[1]));
            see(await cart.remove([skus[0], skus[1]]));
            see(await cart.remove({ merchantId: 'm0 &' }));
            await cart.addAll([{ sku: skus[0] }, { sku: skus[1] }]);
            await cart.set(skus[1], { selected: false });
            see(await cart.remove({ selected: true }));
            see(await cart.set(skus[1], 0));
            await cart.add(skus[2]);
            see(await cart.clear());
            return seen;
        """, skus), [
            [[1, 2, 3], 3, 1500], [[3, 2, 3], 3, 2000], [[3, 5, 3], 2, 1500], [[3, 5, 3], 0, 0], [[3, 5, 3], 2, 1500],
            [[3, 5, 3], 1, 750], [[3, 5, 3], 3, 2750], [[3, 3], 2, 1500], [[3, 3, 1], 3, 1750], [[3], 1, 750],
            [[], 0, 0], [[1], 0, 0], [[], 0, 0], [[], 0, 0],
        ])
        self.assertEqual(self.browser.run("""
            const [, sku] = args[0];
            await cart.add(sku, 1, { note: 'ß' });
            const { ok, total } = await cart.validate();
            const { version, persistedVersion } = await cart.sync();
            return [cart.state.lines[0].extraData.note, ok, total, version === persistedVersion];
        """, skus), ["ß", True, 250, True])

    def test_a_refusal_shows_the_cart_of_now(self):
        sku = unique("scarce")
        INSTANCE.import_products([product(sku, name="Scarce", stock=2)])
        self.open()
        error, quantity, changes = self.browser.run("""
            await fetch('/v1/cart/lines', { method: 'POST', body: JSON.stringify({ sku: args[0] }),
              headers: { 'Content-Type': 'application/json' } });
            return [await refused(cart.add(args[0], 2)), cart.state.lines[0].quantity, changes.length];
        """, sku)
        self.assertEqual((error["status"], error["code"], error["isUnknown"]), (422, "insufficient_stock", False))
        self.assertEqual(error["problem"]["errors"][0]["pointer"], "/quantity")
        self.assertEqual(error["problem"]["errors"][0]["available"], 2)
        self.assertEqual(error["message"], error["problem"]["detail"])
        self.assertEqual((quantity, changes), (1, 1))
        # The cart of a refusal has no tag: the next look brings one.
        self.browser.run("await cart.refresh(); await cart.refresh()")
        self.assertEqual([request.status for request in self.proxy.asked("GET")], [200, 304])

    def test_new_prices_are_accepted(self):
        sku = unique("dear")
        INSTANCE.import_products([product(sku)])
        self.open()
        self.browser.run("await cart.add(args[0])", sku)
        INSTANCE.import_products([product(sku, unitPrice=120)])
        change = self.browser.run("return (await cart.refresh()).lines[0].priceChange")
        self.assertEqual(change, {"direction": "increase", "from": 100, "to": 120})
        self.assertIsNone(self.browser.run("return (await cart.acknowledgePrices([args[0]])).lines[0].priceChange", sku))

    def test_work_without_broadcasts_and_random_uuids(self):
        self.open("page?bare")
        self.assertEqual(self.browser.run("return (await cart.add(args[0])).version", self.sku), 1)
        self.assertRegex(self.proxy.asked("POST")[0].key, "^[0-9a-f]{32}$")

    def test_headers_go_with_each_attempt(self):
        self.open()
        self.proxy.fail(Refuse("POST", 502))
        self.browser.run("""
            let number = 0;
            open_({ base: '/v1/', headers: async () => ({ 'X-Token': `${++number}` }) });
            await cart.add(args[0]);
        """, self.sku)
        self.assertEqual([request.headers["X-Token"] for request in self.proxy.asked("POST")], ["1", "2"])

    def test_a_guest_whose_id_the_page_keeps_becomes_a_user(self):
        self.open(user="")
        self.browser.run("""
            window.ids = [];
            open_({ guestId: { get: () => ids.at(-1) ?? null, set: id => ids.push(id) } });
            await cart.add(args[0], 2);
        """, self.sku)
        self.browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.assertEqual(self.browser.run("return (await cart.set(args[0], { delta: 1 })).counts.quantity", self.sku), 3)
        self.assertEqual(self.proxy.asked("PATCH")[0].headers["Guest-Cart-Id"], self.browser.run("return ids[0]"))
        # A merge that has to wait leaves the guest a guest.
        pending = self.browser.run("return cart.state") | {"merge": {"pending": True}}
        self.proxy.fail(Refuse("GET /v1/cart", 200, body=json.dumps(pending).encode()))
        outcome = self.browser.run("await cart.refresh(); return [changes.at(-1).merge, ids.length]")
        self.assertEqual(outcome, [{"pending": True}, 1])
        self.log_in(self.user)
        outcome = self.browser.run("await cart.reset(); return [cart.state.owner, changes.at(-1).merge, ids.length, ids[1]]")
        line = {"sku": self.sku, "outcome": "added", "quantity": 3}
        self.assertEqual(outcome, ["user", {"strategy": "sum", "lines": [line]}, 2, None])


class Orders(ClientTests):
    def orders(self):
        return self.browser.run("return (await cart.orders()).orders.map(order => order.id)")

    def test_take_what_was_seen(self):
        self.open()
        placed, listed, read, status, found = self.browser.run("""
            await cart.add(args[0], 3);
            const placed = await cart.order({ data: { note: 'hello' } });
            const { orders, next } = await cart.orders({ limit: 1, before: null });
            const read = await cart.getOrder(placed.id);
            const { status } = await cart.cancelOrder(placed.id);
            return [placed, [orders[0].id, next], read, status, cart.state.counts.lines];
        """, self.sku)
        self.assertEqual((placed["total"], placed["status"], placed["data"]), (300, "placed", {"note": "hello"}))
        self.assertEqual((listed, read, status, found), ([placed["id"], None], placed, "cancelled", 0))
        body = json.loads(self.proxy.asked("POST /v1/orders$")[0].body)
        self.assertEqual(body, {"expectedTotal": 300, "cartVersion": 1, "data": {"note": "hello"}})

    def test_some_lines(self):
        other = unique("other")
        INSTANCE.import_products([product(other, name="Other", unitPrice=70)])
        self.open()
        total = self.browser.run("""
            await cart.addAll([{ sku: args[0] }, { sku: args[1], quantity: 2 }]);
            return (await cart.order({ skus: [args[1]] })).total;
        """, self.sku, other)
        self.assertEqual(total, 140)
        self.assertEqual(self.browser.wait_until("cart.state.counts.lines === 1 && cart.state.lines[0].sku"), self.sku)

    def test_not_what_nobody_saw(self):
        self.open()
        self.browser.run("""
            await cart.add(args[0]);
            await fetch('/v1/cart/lines', { method: 'POST', body: JSON.stringify({ sku: args[0], quantity: 4 }),
              headers: { 'Content-Type': 'application/json' } });
        """, self.sku)
        error = self.browser.run("return await refused(cart.order())")
        self.assertEqual(error["code"], "version_mismatch")
        self.assertEqual(self.browser.run("return cart.state.totals.selected"), 500)
        self.assertEqual(self.browser.run("return (await cart.order()).total"), 500)
        self.assertEqual(len({request.key for request in self.proxy.asked("POST /v1/orders")}), 2)

    def test_a_second_click_is_no_second_order(self):
        self.open()
        ids = self.browser.run("""
            await cart.add(args[0]);
            return (await Promise.all([cart.order(), cart.order()])).map(order => order.id);
        """, self.sku)
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(self.orders(), ids[:1])

    def test_one_whose_answer_was_lost_comes_back(self):
        self.open("page?hasty")
        self.browser.run("await cart.add(args[0], 2)", self.sku)
        self.proxy.fail(Cut("POST /v1/orders", times=5))
        error = self.browser.run("return await refused(cart.order())")
        self.assertEqual((error["code"], error["isUnknown"]), ("network", True))
        # The page looks again, and sees the cart without what was ordered.
        self.assertEqual(self.browser.run("return (await cart.refresh()).counts.lines"), 0)
        order = self.browser.run("return await cart.order()")
        self.assertEqual(order["total"], 200)
        self.assertEqual(self.orders(), [order["id"]])
        self.assertEqual(len({request.key for request in self.proxy.asked("POST /v1/orders")}), 1)

    def test_one_that_never_arrived_is_not_placed_for_another_cart(self):
        self.open("page?hasty")
        self.browser.run("await cart.add(args[0], 2)", self.sku)
        self.proxy.fail(Refuse("POST /v1/orders", 502, times=5))
        self.assertTrue(self.browser.run("return await refused(cart.order())")["isUnknown"])
        order = self.browser.run("await cart.set(args[0], 3); return await cart.order()", self.sku)
        self.assertEqual(order["total"], 300)
        self.assertEqual([one.status for one in self.proxy.asked("POST /v1/orders")], [502] * 5 + [412, 201])
        self.assertEqual(self.orders(), [order["id"]])


class Readme(BrowserTests):
    def test_its_page_is_a_working_cart(self):
        section = (ROOT / "README.md").read_text().split("\n## In a page\n")[1].split("\n## ")[0]
        (page,) = re.findall(r"```html\n(.*?)```", section, re.S)
        self.assertLessEqual(page.count("\n"), 25)
        self.proxy.pages["/readme"] = "text/html", page.encode()
        self.browser.get(f"{self.proxy.url}/readme")
        pot, large = self.browser.find_elements(By.CSS_SELECTOR, "[data-sku]")
        pot.click()
        large.click()
        self.see("Terracotta pot, 12 cm", 1, "Terracotta pot, 20 cm", 1, "13.45 GBP")
        self.browser.find_element(By.CSS_SELECTOR, "[aria-label^='+'][aria-label$='12 cm']").click()
        self.see("Terracotta pot, 12 cm", 2, "Terracotta pot, 20 cm", 1, "17.95 GBP")
        self.assertEqual(self.browser.switch_to.active_element.text, "+")
        self.browser.picture("readme")
        self.browser.find_element(By.CSS_SELECTOR, "[aria-label^='−'][aria-label$='20 cm']").click()
        self.see("Terracotta pot, 12 cm", 2, "9.00 GBP")
        self.proxy.fail(Refuse("POST", 404))
        pot.click()
        self.browser.wait_until("document.getElementById('message').textContent.includes('http_404')")
        errors = [entry for entry in self.browser.get_log("browser") if entry["source"] != "network"]
        self.assertEqual(errors, [])

    def see(self, *parts):
        """Waits until the lines are these, each with its quantity, and then the total."""
        script = """[...document.querySelectorAll('li')].flatMap(li => [li.lastChild.data.trim(), Number(li.childNodes[1].data)])
            .concat(document.getElementById('total').textContent).join() === arguments[0]"""
        self.browser.wait_until(script, ",".join(map(str, parts)))


class Server(unittest.TestCase):
    def test_serves_the_client(self):
        answer = Exchange(URL, "GET", "/v1/cart.js").finish()
        self.assertEqual((answer.status, answer.body), (200, CLIENT.read_bytes()))
        self.assertIn("text/javascript", answer.headers["Content-Type"])


class Size(unittest.TestCase):
    def test_of_the_client_is_under_4_kilobytes(self):
        size = len(gzip.compress(CLIENT.read_bytes(), 9, mtime=0))
        print(f"\ncart.js: {size} bytes gzipped")
        self.assertLess(size, 4096)


if __name__ == "__main__":
    unittest.main()
