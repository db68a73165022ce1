"""Time labs: three hosts on two networks with one router, and 40 hosts on 20 networks.

python benchmarks/labs.py IMAGE [ROUNDS]

IMAGE is on the engine already and has `sh` and `ip`. Prints medians of `up()` and `down()`, the requests of one `up()`,
and whether every host of the large lab reached its neighbours.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import containerkit as ck
from containerkit.backends._requests import RequestsTransport
from containerkit.backends.transport import Request
from containerkit.streams import Deadline

_NAME = re.compile(r"[0-9a-f]{32,}|/v[0-9.]+(?:/libpod)?")


def small(lab: ck.labs.Lab) -> None:
    """Add two hosts in two networks, and the router between them."""
    lab.add("pc1", {"A": "10.0.1.2/24"}, gateway="10.0.1.1")
    lab.add("r1", {"A": "10.0.1.1/24", "B": "10.0.2.1/24"}, router=True)
    lab.add("pc2", {"B": "10.0.2.2/24"}, gateway="10.0.2.1")


def large(lab: ck.labs.Lab) -> None:
    """Add a ring of 20 routers on 20 networks, and one host in each network."""
    for number in range(20):
        after = (number + 1) % 20
        links = {f"n{number}": f"10.0.{number}.1/24", f"n{after}": f"10.0.{after}.2/24"}
        lab.add(f"r{number}", links, router=True)
        lab.add(f"pc{number}", {f"n{number}": f"10.0.{number}.9/24"}, gateway=f"10.0.{number}.1")


def counted(work: Callable[[], Any]) -> Counter[str]:
    """Return how many requests of which kind a call sends."""
    found: Counter[str] = Counter()
    kinds = ("send", "stream", "upgrade")
    originals = {kind: getattr(RequestsTransport, kind) for kind in kinds}

    def counting(kind: str) -> Callable[..., Any]:
        def deliver(self: RequestsTransport, request: Request, deadline: Deadline) -> Any:
            found[f"{request.method} {_NAME.sub('{}', request.target.partition('?')[0])}"] += 1
            return originals[kind](self, request, deadline)

        return deliver

    for kind in kinds:
        setattr(RequestsTransport, kind, counting(kind))
    try:
        work()
    finally:
        for kind, original in originals.items():
            setattr(RequestsTransport, kind, original)
    return found


def main(image: str, rounds: str = "5") -> None:
    """Measure both labs, after a warm-up."""
    with ck.connect() as engine:
        print(f"{engine.kind} {engine.info().version}")
        for name, build in (("3 hosts, 2 networks", small), ("40 hosts, 20 networks", large)):
            up: list[float] = []
            down: list[float] = []
            requests: Counter[str] = Counter()
            answered = True
            for turn in range(int(rounds) + 1):
                with ck.labs.Lab(engine, image=image) as lab:
                    build(lab)
                    began = time.perf_counter()
                    if turn:
                        lab.up()
                    else:
                        requests = counted(lab.up)
                    ready = time.perf_counter()
                    if build is small:
                        answered &= lab.ping_all().complete
                    else:
                        answered &= "0% packet loss" in lab["pc0"].exec(["ping", "-c", "1", "10.0.1.2"]).stdout
                    removing = time.perf_counter()
                    lab.down()
                    if turn:
                        up.append(ready - began)
                        down.append(time.perf_counter() - removing)
            spread = f"{min(up):.2f} to {max(up):.2f}"
            print(
                f"{name}: up {statistics.median(up):.2f} s ({spread}), down {statistics.median(down):.2f} s, "
                f"requests {sum(requests.values())} {dict(requests)}, pings {'answered' if answered else 'LOST'}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
