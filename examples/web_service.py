"""Start a web service, wait until it answers, use it, and remove it.

python examples/web_service.py [IMAGE]
"""

from __future__ import annotations

import sys
import urllib.request

import containerkit as ck

SERVE = "mkdir -p /www; echo 'hello from a container' > /www/index.html; exec httpd -f -p 80 -h /www"


def main(image: str = "busybox:1") -> None:
    with (
        ck.connect() as engine,
        # any free port, on this machine only; leaving the block removes the container
        engine.start(image, ["sh", "-c", SERVE], publish={80: ("127.0.0.1", None)}) as web,
    ):
        web.wait_until(ck.wait.http("/index.html", port=80), timeout=30)
        url = f"http://{web.port(80)}/index.html"
        with urllib.request.urlopen(url) as answer:
            print("the page:", answer.read().decode().strip())
        print("its log ends with:", str(web.logs(tail=1)).strip() or "nothing")
    print("removed")


if __name__ == "__main__":
    main(*sys.argv[1:])
