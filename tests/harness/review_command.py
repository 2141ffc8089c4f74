"""Runs review.py as a command, reviews some labels as the page does, and stops it."""

import json
import signal
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

PATIENCE = 120  # seconds until it is given up


def decide_and_stop(command: str, folder: Path, env: dict[str, str], verdicts: list[str]) -> None:
    """Decide about the first labels, one verdict each, and press Ctrl-C. No browser is opened."""
    server = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], cwd=folder, env=env | {"BROWSER": "true"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    watchdog = threading.Timer(PATIENCE, server.kill)
    watchdog.start()
    try:
        printed = []
        for line in server.stdout:
            printed.append(line)
            if line.startswith("review: "):
                break
        else:
            raise AssertionError(f"{command}\n{''.join(printed)}")
        address = urlsplit(line.split()[1])
        for row, verdict in enumerate(verdicts):
            request = Request(
                f"{address.scheme}://{address.netloc}/api/decide?{address.query}",
                json.dumps({"row": row, "verdict": verdict}).encode(),
                {"Content-Type": "application/json"},
            )
            with urlopen(request, timeout=PATIENCE) as answer:
                assert answer.status == 200
        server.send_signal(signal.SIGINT)
        rest = server.communicate()[0]
    finally:
        watchdog.cancel()
        server.kill()
        server.wait()
    assert server.returncode == 0 and f"{len(verdicts)} of " in rest, f"{command}\n{rest}"
