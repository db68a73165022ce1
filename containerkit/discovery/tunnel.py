"""Reach an engine over ssh: the system's ssh forwards its socket to a private one on this machine."""

from __future__ import annotations

import subprocess

from .._text import split_lines
from .endpoints import EngineUrl, Kind
from .helper import Helper, HelperFailed, private_folder

# Run by /bin/sh on the remote machine, inside single quotes; no value of ours is interpolated except the paths below.
_FIND_SOCKET = """
u=$(id -u); r=${XDG_RUNTIME_DIR:-/run/user/$u}; s=
for p in %s; do
  [ -S "$p" ] || continue
  if [ -w "$p" ]; then echo "containerkit:$p"; exit 0; fi; s="$s $p"
done
if [ -n "$s" ]; then echo "uid $u may not write to:$s" >&2; else echo "found no socket of Docker or Podman" >&2; fi
exit 3
"""
_PODMAN = '"$r/podman/podman.sock" "/run/user/$u/podman/podman.sock" /run/podman/podman.sock'
_DOCKER = '"$r/docker.sock" "/run/user/$u/docker.sock" /var/run/docker.sock'


def _ssh(address: EngineUrl, identity: str | None, timeout: float) -> list[str]:
    command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, int(timeout))}"]
    # No shared connection (ControlMaster): a forwarding over it would outlive this ssh process.
    command += ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
    if identity:
        command += ["-i", identity]
    if address.user:
        command += ["-l", address.user]
    if address.port:
        command += ["-p", str(address.port)]
    return command


def find_remote_socket(
    address: EngineUrl, *, identity: str | None = None, prefer: Kind | None = None, timeout: float
) -> str:
    """Return the first well-known socket on the remote machine that the user may write to.

    Args:
        address: the ssh address.
        identity: the path of an ssh key.
        prefer: the kind whose sockets come first; None for Podman.
        timeout: seconds.

    Raises:
        HelperFailed: with ssh's own error.
    """
    order = f"{_DOCKER} {_PODMAN}" if prefer == "docker" else f"{_PODMAN} {_DOCKER}"
    command = [*_ssh(address, identity, timeout), "--", address.host, f"exec /bin/sh -c '{_FIND_SOCKET % order}'"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as exc:
        raise HelperFailed(f"ssh {address.host} did not finish within {timeout:g} s") from exc
    except OSError as exc:
        raise HelperFailed(f"the ssh program could not be run: {exc.strerror or exc}") from exc
    for line in split_lines(done.stdout.decode(errors="replace")):  # a shell's start-up files may print as well
        if line.startswith("containerkit:/"):
            return line.partition(":")[2]
    raise HelperFailed(_explain(done.stderr.decode(errors="replace").strip(), address))


def open_tunnel(
    address: EngineUrl, remote: str, *, identity: str | None = None, timeout: float, runtime: str
) -> Helper:
    """Forward the socket `remote` to `helper.socket`. Raises HelperFailed with ssh's own error."""

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


def _explain(error: str, address: EngineUrl) -> str:
    target = f"{address.user}@{address.host}" if address.user else address.host
    port = f"-p {address.port} " if address.port else ""
    message = f"ssh to {target}: {error}" if error else f"ssh to {target} failed without an error message"
    # ssh has no exit codes for these causes; its text only selects the advice.
    if "Host key verification failed" in error:
        return f"{message}; check its key once by hand: ssh {port}{target}"
    if "Permission denied" in error:
        return f"{message}; it has to work without a password (a key in ssh-agent, or a named one): ssh {port}{target}"
    return message
