"""Clean a machine of a lab room: what dead programs left, containers of students that ended, what that frees.

python examples/clean_a_lab_room.py [LABEL] [--yes]    without --yes it only says what it would remove
"""

from __future__ import annotations

import sys

import containerkit as ck


def main(arguments: list[str]) -> None:
    sure = "--yes" in arguments
    label = next((each for each in arguments if not each.startswith("-")), "course=os")
    with ck.connect() as engine:
        cleaned = ck.cleanup(engine)  # never what a live session owns, nor what was made with keep=True
        print(f"left by programs that died: {len(cleaned)} removed, {len(cleaned.unknown)} kept")

        for container in engine.containers.list(all=True, filters={"label": [label]}):
            if container.status in ("exited", "dead", "created"):
                print(f"{container.name}: {container.status}", "- removed" if sure else "- would be removed")
                if sure:
                    container.remove(volumes=True, missing_ok=True)
            else:
                print(f"{container.name}: {container.status} - stays")


if __name__ == "__main__":
    main(sys.argv[1:])
