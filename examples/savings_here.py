"""See what the images of this machine cost because they share layers, and what they would cost as full copies.

python examples/savings_here.py
"""

from __future__ import annotations

import containerkit as ck


def main() -> None:
    with ck.connect() as engine:
        print(engine.savings())  # sum of the images, distinct layers, bytes on disk
        print()
        sharing = engine.sharing()
        print(sharing)  # which layers several images have in common
        print()
        print(engine.reclaimable())  # what a removal would free


if __name__ == "__main__":
    main()
