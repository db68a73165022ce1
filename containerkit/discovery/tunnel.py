"""An engine behind ssh: the system's ssh carries its socket to a private one here; the same way for both vendors."""

from __future__ import annotations

import subprocess

from .endpoints import Address, Kind
from .helper import Helper, HelperFailed, private_folder

__all__ = ["find_remote_socket", "open_tunnel"]

# Read by /bin/sh on the other side, inside single quotes. $1.. are not used: nothing of ours is interpolated.
_LOOK = """
u=$(id -u); r=${XDG_RUNTIME_DIR:-/run/user/$u}; s=
for p in %s; do
  [ -S "$p" ] || continue
  if [ -w "$p" ]; then echo "containerkit:$p"; exit 0; fi; s="$s $p"
done
if [ -n "$s" ]; then echo "uid $u may not write to:$s" >&2; else echo "no socket of Docker or Podman is there" >&2; fi
exit 3
"""
_PODMAN = '"$r/podman/podman.sock" "/run/user/$u/podman/podman.sock" /run/podman/podman.sock'
_DOCKER = '"$r/docker.sock" "/run/user/$u/docker.sock" /var/run/docker.sock'


def _ssh(address: Address, identity: str | None, timeout: float) -> list[str]:
    command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, int(timeout))}"]
    # A connection of its own: what goes over a shared one (ControlMaster) would outlive the ssh that asked for it.
    command += ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
    if identity:
        command += ["-i", identity]
    if address.user:
        command += ["-l", address.user]
    if address.port:
        command += ["-p", str(address.port)]
    return command


def find_remote_socket(
    address: Address, *, identity: str | None = None, prefer: Kind | None = None, timeout: float
) -> str:
    """The first well-known socket over there that the user may write to. Raises HelperFailed with ssh's own words."""
    order = f"{_DOCKER} {_PODMAN}" if prefer == "docker" else f"{_PODMAN} {_DOCKER}"
    command = [*_ssh(address, identity, timeout), "--", address.host, f"exec /bin/sh -c '{_LOOK % order}'"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as exc:
        raise HelperFailed(f"ssh {address.host} gave no answer within {timeout:g} s") from exc
    except OSError as exc:
        raise HelperFailed(f"the ssh program could not be run: {exc.strerror or exc}") from exc
    for line in done.stdout.decode(errors="replace").splitlines():  # a shell's start-up files may print something too
        if line.startswith("containerkit:/"):
            return line.partition(":")[2]
    raise HelperFailed(_explain(done.stderr.decode(errors="replace").strip(), address))


def open_tunnel(address: Address, remote: str, *, identity: str | None = None, timeout: float, runtime: str) -> Helper:
    """Carry the socket `remote` to `helper.socket`. Raises HelperFailed with ssh's own words."""

    def command(socket: str) -> list[str]:
        options = ["-N", "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindUnlink=yes"]
        options += ["-o", "StreamLocalBindMask=0177", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
        return [*_ssh(address, identity, timeout), *options, "-L", f"{socket}:{remote}", "--", address.host]

    helper = Helper("ssh", command, folder=private_folder(runtime))
    try:
        helper.wait_for_socket(timeout)
    except HelperFailed as exc:
        helper.close()
        raise HelperFailed(_explain(str(exc), address)) from exc
    except BaseException:
        helper.close()
        raise
    return helper


def _explain(words: str, address: Address) -> str:
    target = f"{address.user}@{address.host}" if address.user else address.host
    port = f"-p {address.port} " if address.port else ""
    said = f"ssh to {target}: {words}" if words else f"ssh to {target} failed without a word"
    # ssh has no exit code for these; its words decide only which advice is added
    if "Host key verification failed" in words:
        return f"{said}; check its key once by hand: ssh {port}{target}"
    if "Permission denied" in words:
        return f"{said}; it has to work without a password (a key in ssh-agent, or a named one): ssh {port}{target}"
    return said
