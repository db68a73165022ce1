"""Run the command line with `python -m containerkit`."""

from __future__ import annotations

from containerkit.cli import main

if __name__ == "__main__":
    main()
