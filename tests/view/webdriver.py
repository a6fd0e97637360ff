"""A browser for the tests: chromedriver's W3C WebDriver protocol over plain HTTP."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BINARIES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
    "--window-size=900,560",  # software rendering: the fewer pixels the faster
]
KEYS = {"left": "\ue012", "right": "\ue014", "end": "\ue010", "home": "\ue011"}


def missing() -> str | None:
    """Why there is no browser to test with; None when there is one."""
    if not any(map(shutil.which, BINARIES)):
        return f"no Chromium on this machine (looked for {', '.join(BINARIES)})"
    return None if shutil.which("chromedriver") else "no chromedriver on this machine"


class Browser:
    """One headless session; ``close`` ends the browser and the driver it started."""

    def __init__(self, profile: Path, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._root = f"http://127.0.0.1:{port}"
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._session = self._start([*FLAGS, f"--user-data-dir={profile}", *flags])
        except BaseException:
            self._driver.kill()
            raise

    def _start(self, flags: list[str]) -> str:
        binary = next(filter(None, map(shutil.which, BINARIES)))
        options = {"goog:chromeOptions": {"binary": binary, "args": flags}}
        options["goog:loggingPrefs"] = {"browser": "ALL"}  # type: ignore[dict-item]
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{self._root}/status", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        return str(answer["sessionId"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._root + path, data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def _do(self, method: str, path: str, body: Any = None) -> Any:
        return self._ask(method, f"/session/{self._session}{path}", body)

    def open(self, page: Path, commands: str = "") -> None:
        """Load the page afresh with ``#commands`` and wait until it says it is ready."""
        self._do("POST", "/url", {"url": "about:blank"})
        self._do("POST", "/url", {"url": f"{page.as_uri()}#{commands}"})
        self.wait("document.body.dataset.ready === 'true'")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        body = {"script": f"return {expression}", "args": []}
        return self._do("POST", "/execute/sync", body)

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until a JavaScript condition holds."""
        end = time.monotonic() + seconds
        while not self.run(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.05)

    def data(self, name: str) -> str | None:
        """A data attribute of the body: how the page tells its state."""
        value = self.run(f"document.body.dataset.{name}")
        return None if value is None else str(value)

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Type into a field as a user does."""
        body = {"using": "css selector", "value": selector}
        element = next(iter(self._do("POST", "/element", body).values()))
        self._do("POST", f"/element/{element}/value", {"text": text})

    def press(self, key: str) -> None:
        """Press a key on the page."""
        self.type("body", KEYS.get(key, key))

    def drag(self, x: int, y: int, by: int) -> None:
        """Drag the mouse from a place in the window to the right."""
        move = {"type": "pointerMove", "duration": 50, "origin": "viewport", "y": y}
        steps = [
            move | {"x": x},
            {"type": "pointerDown", "button": 0},
            move | {"x": x + by},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": steps}
        self._do("POST", "/actions", {"actions": [mouse]})

    def resize(self, width: int, height: int) -> None:
        """Give the page this size (px): that of a phone, say."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics}
        self._do("POST", "/goog/cdp/execute", command)

    def full_size(self) -> None:
        """Take `resize` back."""
        command = {"cmd": "Emulation.clearDeviceMetricsOverride", "params": {}}
        self._do("POST", "/goog/cdp/execute", command)

    def screenshot(self) -> str:
        """The window as base64 PNG."""
        return str(self._do("GET", "/screenshot"))

    def errors(self) -> list[str]:
        """Messages of the console that are errors."""
        entries = self._do("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def close(self) -> None:
        try:
            self._do("DELETE", "")
        except OSError:
            pass
        finally:
            self._driver.terminate()
            self._driver.wait(10)
