"""The example shop of nginx/up in a browser: what a shopper sees and does, on one device and on several."""

import json
import unittest

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from shop_proxy import Cut, Refuse
from shopper import Shopper, ShopTests


class Buying(ShopTests):
    def test_part_of_a_cart(self):
        pot, rug = self.sell("Terracotta pot", 450), self.sell("Wool rug", 8900, merchantId="weavers")
        shopper = self.shopper.open()
        shopper.click("add", pot)
        shopper.click("add", rug)
        shopper.has(2)
        shopper.go("#/cart")
        shopper.click("more", pot)
        shopper.has(3)
        shopper.click("select", rug)
        self.assertIn("£9.00", shopper.sees(".summary .total", "£9.00"))
        self.browser.picture("cart-partly-checked")
        shopper.click("checkout")
        shopper.find('[data-action="confirm"]')
        self.browser.picture("checkout")
        shopper.click("confirm")
        shopper.sees("h1", "Thank you")
        shopper.has(1)
        (order,) = shopper.browser.run("return (await (await fetch('/v1/orders')).json()).orders")
        self.assertEqual([(line["sku"], line["quantity"]) for line in order["lines"]], [(pot, 2)])
        self.assertEqual([line["sku"] for line in shopper.cart()["lines"]], [rug])
        self.assertTrue(self.browser.current_url.endswith(f"#/orders/{order['id']}"))

    def test_is_undone_by_cancelling(self):
        pot = self.sell("Terracotta pot", stock=3)
        shopper = self.shopper.open()
        shopper.click("add", pot)
        shopper.has(1)
        shopper.go("#/checkout")
        shopper.click("confirm")
        shopper.sees("h1", "Thank you")
        shopper.go("#/orders")
        shopper.find(".orders a").click()
        shopper.click("cancel-order")
        shopper.sees("main", "Cancelled")
        self.assertEqual(shopper.send("POST", "/v1/cart/lines", {"sku": pot, "quantity": 3})["problems"], [])

    def test_what_others_bought_meanwhile_is_told(self):
        lamp = self.sell("Brass lamp", stock=1)
        shopper = self.shopper.open()
        shopper.click("add", lamp)
        shopper.has(1)
        shopper.go("#/checkout")
        shopper.find('[data-action="confirm"]')
        self.buy(lamp)
        shopper.click("confirm")
        shopper.sees(".note.bad", "Brass lamp")
        shopper.misses('[data-action="confirm"]')
        self.browser.picture("sold-out-at-the-last-moment")
        shopper.go("#/cart")
        shopper.sees(f'main li[data-sku="{lamp}"]', "Sold out")
        self.assertEqual(shopper.find('[data-action="checkout"]').get_attribute("aria-disabled"), "true")
        shopper.click("checkout")
        self.assertIn("uncheck", shopper.sees("#message", "check out"))
        self.browser.picture("sold-out-in-the-cart")
        shopper.go("#/")
        shopper.click("add", lamp)
        shopper.sees("#message.bad", "Brass lamp")

    def buy(self, sku):
        """Somebody else takes one."""
        other = self.another_device()
        other.open()
        other.send("POST", "/v1/cart/lines", {"sku": sku})
        other.send("POST", "/v1/orders", {"expectedTotal": other.cart()["totals"]["selected"]})

    def another_device(self):
        """Another profile of a browser, started when a test first asks."""
        cls = type(self)
        if not hasattr(cls, "other"):
            cls.other = Shopper(cls.start_browser(), cls.proxy.url)
        self.addCleanup(cls.other.browser.execute_cdp_cmd, "Network.clearBrowserCookies", {})
        return cls.other

    def test_a_price_that_changes_meanwhile_is_told(self):
        rug = self.sell("Wool rug", 8900)
        shopper = self.shopper.open()
        shopper.click("add", rug)
        shopper.has(1)
        shopper.go("#/cart")
        self.change(rug, unitPrice=9900)
        shopper.look_again()
        self.assertIn("£89.00", shopper.sees(f'main li[data-sku="{rug}"]', "Up from"))
        self.browser.picture("price-changed")
        shopper.click("acknowledge", rug)
        shopper.misses(".price")
        shopper.click("checkout")
        shopper.find('[data-action="confirm"]')
        self.change(rug, unitPrice=9500)
        shopper.click("confirm")
        shopper.sees(".note.warn", "£95.00")
        self.browser.picture("price-changed-at-the-last-moment")
        shopper.click("confirm")
        shopper.sees("h1", "Thank you")
        shopper.sees("main .total", "£95.00")

    def test_by_keyboard_alone(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        self.press_at(f'[data-action="add"][data-sku="{pot}"]')
        shopper.has(1)
        self.press_at(".mini", Keys.SHIFT)
        self.assertEqual(shopper.find("h1").text, "Cart")
        self.press_at('[data-action="more"]')
        shopper.has(2)
        # The button is the same one, and still in use.
        self.assertEqual(self.focused("dataset.action"), "more")
        self.press_at('[data-action="checkout"]')
        self.press_at('[data-action="confirm"]')
        shopper.sees("h1", "Thank you")
        self.assertEqual(self.focused("tagName"), "H1")

    def focused(self, property):
        return self.browser.execute_script(f"return document.activeElement.{property}")

    def press_at(self, selector, *with_keys):
        """Tabs to an element, which must be seen to have the focus, and presses Enter."""
        self.shopper.find(selector)
        for _ in range(60):
            if self.browser.execute_script("return document.activeElement.matches(arguments[0])", selector):
                break
            ActionChains(self.browser).send_keys(Keys.NULL).perform()
            keys = ActionChains(self.browser)
            for key in with_keys:
                keys.key_down(key)
            keys.send_keys(Keys.TAB)
            for key in with_keys:
                keys.key_up(key)
            keys.perform()
        else:
            self.fail(f"Tab does not reach {selector}")
        self.assertNotEqual(self.browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle"), "none")
        ActionChains(self.browser).send_keys(Keys.ENTER).perform()


class Devices(ShopTests):
    def test_two_tabs_stay_in_step(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        shop = self.browser.current_window_handle
        self.browser.switch_to.new_window("window")
        cart = self.browser.current_window_handle
        shopper.open("#/cart")
        self.browser.switch_to.window(shop)
        shopper.click("add", pot)
        shopper.has(1)
        self.browser.switch_to.window(cart)
        shopper.has(1)
        shopper.click("more", pot)
        shopper.has(2)
        self.browser.switch_to.window(shop)
        shopper.has(2)
        shopper.sees(f'main li[data-sku="{pot}"]', "2 in the cart")

    def test_two_devices_of_one_user_share_a_cart(self):
        pot = self.sell("Terracotta pot")
        first = self.shopper.open()
        second = Shopper(self.start_browser(), self.proxy.url).open("#/cart")
        for device in (first, second):
            device.log_in(self.user)
        first.click("add", pot)
        first.has(1)
        second.look_again()
        second.click("more", pot)
        second.has(2)
        first.look_again()
        first.has(2)
        # What the other device does during a checkout is told before it is ordered.
        first.go("#/checkout")
        first.find('[data-action="confirm"]')
        second.click("more", pot)
        second.has(3)
        first.click("confirm")
        first.sees(".note.warn", "£30.00")
        first.browser.picture("changed-on-another-device")
        first.click("confirm")
        first.sees("h1", "Thank you")
        second.look_again()
        second.has(0)

    def test_what_came_in_at_the_same_price_is_told_before_it_is_ordered(self):
        pot, rug = self.sell("Terracotta pot"), self.sell("Wool rug")
        shopper = self.shopper.open()
        shopper.click("add", pot)
        shopper.has(1)
        shopper.go("#/checkout")
        shopper.find('[data-action="confirm"]')
        shopper.send("DELETE", f"/v1/cart/lines/{pot}")
        shopper.send("POST", "/v1/cart/lines", {"sku": rug, "quantity": 2})
        shopper.send("PATCH", f"/v1/cart/lines/{rug}", {"quantity": 1})
        # The page knows the new cart by now; the shopper still sees the old one.
        self.browser.run("new BroadcastChannel(`cart ${location.origin}/v1`).postMessage({ version: 4, owner: 'guest' })")
        self.proxy.wait_for("GET /v1/cart$", 2)
        shopper.click("confirm")
        shopper.sees(".note.warn", "Wool rug")
        shopper.click("confirm")
        shopper.sees("h1", "Thank you")
        shopper.sees("main", "Wool rug")

    def test_a_guest_who_logs_in_brings_the_cart_along(self):
        pot, rug, lamp = self.sell("Terracotta pot"), self.sell("Wool rug", purchaseLimit=3), self.sell("Brass lamp")
        shopper = self.shopper.open()
        shopper.log_in(self.user)
        shopper.send("POST", "/v1/cart/lines", {"lines": [{"sku": pot}, {"sku": rug, "quantity": 2}]})
        shopper.log_out()
        for sku in (pot, rug, lamp):
            shopper.click("add", sku)
        shopper.has(3)
        shopper.send("PATCH", f"/v1/cart/lines/{rug}", {"quantity": 3})
        shopper.log_in(self.user)
        shopper.has(2 + 3 + 1)
        outcomes = self.browser.execute_script(
            "return [...document.querySelectorAll('#merge li')].map(li => [li.dataset.sku, li.dataset.outcome])")
        self.assertEqual(outcomes, [[pot, "summed"], [rug, "capped"], [lamp, "added"]])
        self.browser.picture("merged")
        shopper.click("dismiss")
        shopper.misses("#merge")

    def test_a_logout_leaves_nothing_behind(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        shopper.log_in(self.user)
        shopper.click("add", pot)
        shopper.has(1)
        first = self.browser.current_window_handle
        self.browser.switch_to.new_window("window")
        shopper.open("#/cart")
        shopper.log_out()
        self.browser.switch_to.window(first)
        shopper.has(0)
        shopper.go("#/cart")
        shopper.sees("main", "The cart is empty")


class Networks(ShopTests):
    def test_that_lose_answers_change_nothing_twice(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        self.proxy.fail(Cut("POST /v1/cart/lines", times=2))
        shopper.click("add", pot)
        shopper.has(1)
        self.assertEqual(shopper.cart()["version"], 1)
        self.assertEqual(len(self.proxy.asked("POST /v1/cart/lines")), 3)

    def test_that_are_gone_for_a_while_are_waited_for(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        self.set_offline(True)
        self.addCleanup(self.set_offline, False)
        shopper.sees("#trouble", "offline")
        shopper.click("add", pot)
        self.browser.picture("offline")
        self.set_offline(False)
        shopper.has(1)
        shopper.misses("#trouble")

    def test_that_lose_an_order_s_answer_place_one(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        shopper.click("add", pot)
        shopper.has(1)
        shopper.go("#/checkout")
        self.proxy.fail(Cut("POST /v1/orders", times=2))
        shopper.click("confirm")
        shopper.sees("h1", "Thank you")
        shopper.has(0)
        shopper.go("#/orders")
        shopper.find(".orders a")
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, ".orders a")), 1)

    def test_of_a_shop_that_is_away_are_tried_again(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        self.proxy.fail(Refuse("POST /v1/cart/lines", 503, headers=[("Retry-After", "60")]))
        shopper.click("add", pot)
        shopper.sees("#message.bad")
        shopper.sees("#trouble", "does not answer")
        self.browser.picture("away")
        # It looks by itself whether the shop is back.
        shopper.misses("#trouble")
        shopper.click("add", pot)
        shopper.has(1)

    def test_of_a_shop_that_can_only_show_the_cart(self):
        pot = self.sell("Terracotta pot")
        shopper = self.shopper.open()
        shopper.click("add", pot)
        shopper.has(1)
        copy = json.dumps(shopper.cart()).encode()
        self.proxy.fail(Refuse("GET /v1/cart$", 200, headers=[("Cart-Source", "database")], body=copy))
        shopper.look_again()
        shopper.sees("#trouble", "not changed")
        shopper.click("add", pot)
        shopper.sees("#message.bad")
        self.browser.picture("read-only")
        self.assertEqual(len(self.proxy.asked("POST")), 1)
        shopper.misses("#trouble")

    def set_offline(self, is_offline):
        conditions = {"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.browser.execute_cdp_cmd("Network.enable", {})
        self.browser.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)


if __name__ == "__main__":
    unittest.main()
