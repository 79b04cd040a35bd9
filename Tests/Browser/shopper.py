"""A shopper at the example shop: a browser, and what is clicked and seen in its pages by their stable marks."""

import json

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from browser import INSTANCE, BrowserTests
from harness.processes import PATIENCE
from harness.shop import product, unique


class Shopper:
    """One device."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url

    def open(self, view="#/"):
        """Opens the shop anew, and waits for what it shows of the cart."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.url}/{view}")
        self.browser.wait_until("document.querySelector('[data-count]')?.dataset.count > ''")
        return self

    def go(self, view):
        """Follows a link within the shop."""
        self.browser.execute_script("location.hash = arguments[0]", view)

    def find(self, selector):
        """The element, once it is there to be seen."""
        def visible(browser):
            return next((one for one in browser.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()), None)

        waiting = WebDriverWait(self.browser, PATIENCE, 0.02, [StaleElementReferenceException])
        return waiting.until(visible, f"not seen within {PATIENCE} s: {selector}")

    def click(self, action, sku=None, within="main, header"):
        which = f'[data-action="{action}"]' + (f'[data-sku="{sku}"]' if sku else "")
        control = self.find(", ".join(f"{place} {which}" for place in within.split(", ")))
        # Not below what stays at the window's edges.
        self.browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", control)
        control.click()

    def sees(self, selector, text=""):
        """Waits until an element has a text in it, and returns all of its text."""
        script = """[...document.querySelectorAll(arguments[0])].map(one => one.textContent)
            .find(text => text.includes(arguments[1]))"""
        return self.browser.wait_until(script, selector, text)

    def misses(self, selector):
        """Waits until there is no such element."""
        self.browser.wait_until("!document.querySelector(arguments[0])", selector)

    def has(self, count):
        """Waits until the header counts so many pieces."""
        self.browser.wait_until("document.querySelector('[data-count]').dataset.count === arguments[0]", str(count))

    def look_again(self):
        """Comes back to the page from elsewhere."""
        self.browser.execute_script("dispatchEvent(new Event('focus'))")

    def log_in(self, user):
        field = self.find("#user")
        field.clear()
        field.send_keys(user)
        self.click("login")
        self.sees("#message", "Logged in")

    def log_out(self):
        self.click("logout")
        self.sees("#message", "Logged out")
        self.has(0)

    def cart(self):
        return self.browser.run("return await (await fetch('/v1/cart')).json()")

    def send(self, method, path, body=None):
        """What another page of the same shopper does."""
        script = """
            const [method, path, body] = args;
            const answer = await fetch(path, { method, body, headers: { 'Content-Type': 'application/json',
              'Idempotency-Key': crypto.randomUUID() } });
            if (!answer.ok) throw new Error(answer.status);
            return await answer.json();
        """
        return self.browser.run(script, method, path, json.dumps(body) if body is not None else None)


class ShopTests(BrowserTests):
    """Tests of the shop, each with products of its own in its list."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shopper = Shopper(cls.browser, cls.proxy.url)

    def setUp(self):
        super().setUp()
        self.products = []

    def sell(self, name, price=1000, **more):
        """A new product in the shop and in its list; returns its SKU."""
        sold = product(unique("shop"), name=name, unitPrice=price, merchantId="larkfield") | more
        INSTANCE.import_products([sold])
        self.products.append(sold)
        self.proxy.pages["/catalog.json"] = "application/json", json.dumps(self.products).encode()
        return sold["sku"]

    def change(self, sku, **values):
        """What the shop says of a product from now on, while the list stays."""
        INSTANCE.import_products([{"sku": sku, **values}])

    def tearDown(self):
        """A picture of how it ended; and nothing that the page did was an error of its own, or against its policy."""
        self.browser.picture(self._testMethodName.removeprefix("test_").replace("_", "-"))
        for entry in self.browser.get_log("browser"):
            if entry["level"] == "SEVERE" and entry["source"] != "network":
                self.fail(entry["message"])
