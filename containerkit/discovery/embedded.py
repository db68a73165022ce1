"""The embedded Podman: our own `podman system service` on a private socket, for as long as an Engine is open."""

from __future__ import annotations

import subprocess

from .helper import Helper, HelperFailed, private_folder

__all__ = ["program_version", "start_service"]


def start_service(program: str, *, runtime: str, timeout: float) -> Helper:
    """Start the service and wait until it answers on `helper.socket`.

    Raises HelperFailed with podman's own words. Containers that it starts outlive it, as those of the command line do.
    """

    def command(socket: str) -> list[str]:
        return [program, "system", "service", "--time=0", f"unix://{socket}"]

    helper = Helper("podman system service", command, folder=private_folder(runtime))
    try:
        helper.wait_for_socket(timeout)
    except BaseException:  # Ctrl-C while it starts, too
        helper.close()
        raise
    return helper


def program_version(program: str, *, timeout: float) -> str:
    """What `podman --version` says ("4.3.1"). Raises HelperFailed when it cannot even say that."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise HelperFailed(f"{program} --version gave no answer within {timeout:g} s") from exc
    except OSError as exc:
        raise HelperFailed(f"{program} cannot be run: {exc.strerror or exc}") from exc
    said = done.stdout.decode(errors="replace").split()
    if done.returncode != 0 or not said:
        raise HelperFailed(done.stderr.decode(errors="replace").strip()[-400:] or f"{program} --version failed")
    return said[-1]
