"""How the example shop looks: on a phone, to those who can't see it well, and how much has to be loaded for it."""

import importlib.util
import pathlib
import unittest

from harness.servers import ROOT
from shopper import ShopTests

DEMO = ROOT / "nginx" / "demo"
AXE = pathlib.Path(importlib.util.find_spec("axe_core_python").origin).with_name("axe.min.js").read_text()


# One of them is sold in sixes, one has spaces in its SKU.
LINES = ["LF-1008", "LF 1012 GIFT", "TW-TOWEL-L"]


class Looks(ShopTests):
    """Every view, with the products of the shop's own list."""

    def views(self):
        """Goes through the views, and says which one is shown."""
        shopper = self.shopper.open("#/cart")
        shopper.sees("main", "The cart is empty")
        yield "cart-empty"
        shopper.go("#/")
        shopper.find('[data-action="add"]')
        for sku in LINES:
            shopper.click("add", sku)
            shopper.sees(f'main li[data-sku="{sku}"]', "in the cart")
        self.browser.execute_script("scrollTo(0, 0)")
        yield "products"
        shopper.go("#/cart")
        shopper.find('[data-action="checkout"]')
        yield "cart"
        shopper.click("checkout")
        shopper.find('[data-action="confirm"]')
        yield "checkout"
        shopper.click("confirm")
        shopper.sees("h1", "Thank you")
        yield "order"
        shopper.go("#/orders")
        shopper.find(".orders a")
        yield "orders"
        # The stock is there for the next ones.
        for order in shopper.browser.run("return (await (await fetch('/v1/orders')).json()).orders"):
            shopper.send("POST", f"/v1/orders/{order['id']}/cancel")

    def test_on_a_phone_nothing_is_cut_off(self):
        self.metrics(width=360, height=740, deviceScaleFactor=2, mobile=True)
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        for view in self.views():
            with self.subTest(view):
                self.browser.picture(f"phone-{view}")
                width, reach = self.browser.execute_script("""
                    const reach = [...document.querySelectorAll('body *')].filter(one => one.checkVisibility())
                      .map(one => [Math.round(one.getBoundingClientRect().right), one.outerHTML.slice(0, 90)]);
                    return [document.documentElement.scrollWidth, reach.filter(([right]) => right > innerWidth)];
                """)
                self.assertEqual((width, reach), (360, []))

    def metrics(self, **metrics):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def test_for_everybody(self):
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {"features": []})
            for view in self.views():
                with self.subTest(view, scheme=scheme):
                    self.browser.picture(f"{scheme}-{view}")
                    self.assertEqual(self.findings(), [])

    def findings(self):
        """What axe finds serious or critical, in short."""
        if not self.browser.execute_script("return window.axe !== undefined"):
            self.browser.execute_script(AXE)
        violations = self.browser.run("return (await axe.run(document, { resultTypes: ['violations'] })).violations")
        return [f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'] for node in one['nodes']]}"
                for one in violations if one["impact"] in ("serious", "critical")]

    def test_weighs_less_than_60_kilobytes(self):
        self.browser.execute_cdp_cmd("Network.clearBrowserCache", {})
        for _ in self.views():
            pass
        sent = sum(one.answered_bytes for one in self.proxy.asked("GET /") if one.status == 200)
        written = sum(file.stat().st_size for file in DEMO.iterdir() if file.suffix in (".html", ".css", ".js", ".svg"))
        print(f"\nthe shop: {sent} bytes sent, client, list and carts among them; {written} bytes of its own files")
        self.assertLess(sent, 60_000)
        self.assertLess(written, 60_000)


if __name__ == "__main__":
    unittest.main()
