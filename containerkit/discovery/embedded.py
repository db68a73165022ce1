"""Start the embedded Podman: a `podman system service` on a private socket, for as long as an Engine is open."""

from __future__ import annotations

import subprocess

from .helper import Helper, HelperFailed, private_folder


def start_service(program: str, *, runtime: str, timeout: float) -> Helper:
    """Start the service and return when it accepts connections on `helper.socket`.

    Containers that it starts outlive it, as those of the podman command line do.

    Args:
        program: the path of podman.
        runtime: the user's runtime folder, or "".
        timeout: seconds for the start.

    Raises:
        HelperFailed: with podman's own error.
    """

    def command(socket: str) -> list[str]:
        return [program, "system", "service", "--time=0", f"unix://{socket}"]

    helper = Helper("podman system service", command, folder=private_folder(runtime))
    try:
        helper.wait_for_socket(timeout)
    except BaseException:  # KeyboardInterrupt included
        helper.close()
        raise
    return helper


def program_version(program: str, *, timeout: float) -> str:
    """Return the version that `podman --version` prints, such as "4.3.1". Raises HelperFailed."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise HelperFailed(f"{program} --version did not finish within {timeout:g} s") from exc
    except OSError as exc:
        raise HelperFailed(f"{program} cannot be run: {exc.strerror or exc}") from exc
    words = done.stdout.decode(errors="replace").split()
    if done.returncode != 0 or not words:
        raise HelperFailed(done.stderr.decode(errors="replace").strip()[-400:] or f"{program} --version failed")
    return words[-1]
