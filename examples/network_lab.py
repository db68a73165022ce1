"""Two sites and two ways between them: bring a lab up, break a link, take the detour, repair it.

    python examples/network_lab.py [--engine TARGET] [--image busybox:1] [--svg FILE]

Works rootless, without a plugin and without networks of the engine. What the example makes it removes again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import containerkit as ck
from containerkit.labs import Lab

SERVER = "10.0.2.10"


def say(text: object) -> None:
    print(text, flush=True)


def topology(lab: Lab) -> None:
    """Add pc - site1 = (fast, slow) = site2 - web."""
    lab.add("pc", {"left": "10.0.1.10/24"}, gateway="10.0.1.1")
    lab.add(
        "site1",
        {"left": "10.0.1.1/24", "fast": "10.1.0.1/30", "slow": "10.2.0.1/30"},
        routes={"10.0.2.0/24": "10.1.0.2"},
        router=True,
    )
    lab.add(
        "site2",
        {"right": "10.0.2.1/24", "fast": "10.1.0.2/30", "slow": "10.2.0.2/30"},
        routes={"10.0.1.0/24": "10.1.0.1"},
        router=True,
    )
    page = {"/srv/page": "hello from the other site\n"}
    lab.add("web", {"right": f"{SERVER}/24"}, gateway="10.0.2.1", files=page, startup="httpd -p 80 -h /srv")


def fetch(lab: Lab) -> str:
    """Return the page as the PC gets it, or that it gets none."""
    result = lab["pc"].exec(f"timeout 3 wget -q -O - http://{SERVER}/page")
    return result.stdout.strip() if result.exit_code == 0 else "no answer"


def show(engine: ck.Engine, image: str, svg: Path | None) -> None:
    """Bring the lab up and say what reaches whom."""
    lab = Lab(engine, image=image)
    topology(lab)
    with lab:
        lab.up()
        say(lab.status())
        say(lab.ping_all())
        say(f"page: {fetch(lab)}")
        if svg:
            svg.write_text(lab.draw().to_svg(), encoding="utf-8")

        lab.link_down("site2", "fast")
        say(f"fast link down: {fetch(lab)}")

        # No routing protocol runs here, so the routes are changed by hand, on both sides.
        lab["site1"].exec("ip route replace 10.0.2.0/24 via 10.2.0.2", user="0", check=True)
        lab["site2"].exec("ip route replace 10.0.1.0/24 via 10.2.0.1", user="0", check=True)
        say(f"slow link: {fetch(lab)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", help="a target of containerkit.connect(); by default the first that answers")
    parser.add_argument("--image", default="busybox:1", help="needs sh, ip, wget and httpd")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the drawing")
    args = parser.parse_args()
    try:
        with ck.connect(args.engine) as engine:
            show(engine, args.image, args.svg)
    except ck.ContainerKitError as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
