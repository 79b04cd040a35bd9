"""Debian's Chromium without a window, and the shop that its pages are tried on.

`CART_TEST_URL` and `CART_TEST_STATE` name a running instance of `nginx/up`, `CART_TEST_SCREENSHOTS` a folder for
pictures of what was seen; without it none are taken.
"""

import os
import pathlib
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from harness.processes import PATIENCE
from harness.servers import ROOT
from harness.shop import URL, Instance, unique
from shop_proxy import ShopProxy

CLIENT = ROOT / "Sources" / "CartAPI" / "Client" / "cart.js"
INSTANCE = Instance()


class Browser(webdriver.Chrome):
    """A browser with a profile of its own: a device."""

    def __init__(self, width=1280, height=900):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
                     "--disable-background-networking", f"--window-size={width},{height}"):
            options.add_argument(flag)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        super().__init__(options, Service("/usr/bin/chromedriver"))
        self.set_script_timeout(2 * PATIENCE)

    def run(self, script, *arguments):
        """Runs the body of an async function in the page, and returns what it returns; what it throws is raised."""
        text = """
            const done = arguments[arguments.length - 1];
            (async (...args) => { %s })(...Array.from(arguments).slice(0, -1)).then(
              value => done({ value }),
              error => done({ error: `${error.name} ${error.code ?? ''}: ${error.message}` }));
        """ % script
        outcome = self.execute_async_script(text, *arguments)
        if "error" in outcome:
            raise AssertionError(outcome["error"])
        return outcome["value"]

    def wait_until(self, script, *arguments):
        """Until an expression in the page is true; returns it."""
        def ask(_):
            return self.execute_script(f"return {script}", *arguments)

        return WebDriverWait(self, PATIENCE, 0.02).until(ask, f"not within {PATIENCE} s: {script}")

    def picture(self, name):
        folder = os.environ.get("CART_TEST_SCREENSHOTS")
        if folder:
            path = pathlib.Path(folder)
            path.mkdir(parents=True, exist_ok=True)
            self.save_screenshot(str(path / f"{name}.png"))


class BrowserTests(unittest.TestCase):
    """Tests with one browser and one proxy before the shop for all of a class."""

    @classmethod
    def setUpClass(cls):
        cls.proxy = ShopProxy(URL)
        cls.addClassCleanup(cls.proxy.close)
        cls.browser = cls.start_browser()

    @classmethod
    def start_browser(cls, **options):
        browser = Browser(**options)
        cls.addClassCleanup(browser.quit)
        return browser

    def setUp(self):
        self.proxy.forget()
        self.user = unique("user")
        self.addCleanup(self.leave)

    def leave(self):
        """Closes all windows but one, and forgets who was here."""
        first, *others = self.browser.window_handles
        for window in others:
            self.browser.switch_to.window(window)
            self.browser.close()
        self.browser.switch_to.window(first)
        self.browser.get("about:blank")
        self.browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
