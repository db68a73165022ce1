"""Options of `run` and `create`: what a container is to be."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["create_options"]

_CREATE_MANY = (
    ("--env", "-e", "NAME=VALUE", "Set an environment variable."),
    ("--volume", "-v", "SOURCE:TARGET[:ro]", "Mount a folder of the host or a volume."),
    ("--mount", None, "SPEC", "Mount, in the words of --mount."),
    ("--tmpfs", None, "TARGET[:OPTIONS]", "Mount memory."),
    ("--publish", "-p", "[IP:]HOST:PORT", "Publish a port."),
    ("--label", "-l", "NAME=VALUE", "Label the container."),
    ("--cap-add", None, "CAPABILITY", "Add a capability."),
    ("--cap-drop", None, "CAPABILITY", "Drop a capability (or all)."),
    ("--security-opt", None, "OPTION", "A security option (no-new-privileges, …)."),
    ("--network", None, "NAME", "Join a network, or none, host, bridge."),
    ("--add-host", None, "NAME:ADDRESS", "One more line in /etc/hosts."),
    ("--ulimit", None, "NAME=SOFT:HARD", "A limit of the process."),
    ("--device", None, "PATH", "Give it a device."),
    ("--env-file", None, "PATH", "Set the environment variables of a file."),
    ("--expose", None, "PORT", "Expose a port without publishing it."),
    ("--dns", None, "ADDRESS", "Use a DNS server."),
    ("--sysctl", None, "NAME=VALUE", "Set a kernel parameter."),
    ("--group-add", None, "GROUP", "Add a group to the user."),
    ("--volumes-from", None, "CONTAINER", "Mount the volumes of another container."),
    ("--network-alias", None, "NAME", "Answer to one more name on the network."),
    ("--log-opt", None, "NAME=VALUE", "Set an option of the log driver."),
)
_CREATE_ONE = (
    ("--name", None, "NAME", "Name the container."),
    ("--workdir", "-w", "FOLDER", "Where the command starts."),
    ("--user", "-u", "USER[:GROUP]", "Who runs the command."),
    ("--hostname", None, "NAME", "Its host name."),
    ("--entrypoint", None, "COMMAND", "Instead of the image's own."),
    ("--memory", "-m", "SIZE", "Most memory it may use (64m)."),
    ("--cpus", None, "NUMBER", "Most processor time it may use (0.5)."),
    ("--memory-swap", None, "SIZE", "Limit memory and swap together."),
    ("--shm-size", None, "SIZE", "Set the size of /dev/shm."),
    ("--stop-signal", None, "SIGNAL", "Signal that stop sends."),
    ("--stop-timeout", None, "SECONDS", "Time between the stop signal and SIGKILL."),
    ("--ip", None, "ADDRESS", "Address on the network."),
    ("--mac-address", None, "ADDRESS", "MAC address on the network."),
    ("--pid", None, "MODE", "Process namespace (host)."),
    ("--ipc", None, "MODE", "IPC namespace (host, private, shareable)."),
    ("--runtime", None, "NAME", "OCI runtime."),
    ("--gpus", None, "NUMBER", "GPUs (all, 1)."),
    ("--log-driver", None, "NAME", "Log driver."),
    ("--health-cmd", None, "COMMAND", "Command that checks the health."),
    ("--health-interval", None, "TIME", "Time between two checks."),
    ("--userns", None, "MODE", "User namespace (keep-id, host)."),
    ("--restart", None, "POLICY", "Restart policy (no, on-failure:3, always, unless-stopped)."),
    ("--platform", None, "OS/ARCH", "Which of the image's platforms."),
)
_CREATE_FLAGS = (
    ("--read-only", "The container cannot write to its image."),
    ("--publish-all", "Publish every exposed port."),
    ("--no-healthcheck", "Switch off the image's health check."),
    ("--init", "An init process reaps its children."),
    ("--privileged", "No confinement: root in it is root on the engine's host."),
)


def create_options(command: Any) -> Any:
    for name, help_text in reversed(_CREATE_FLAGS):
        command = click.option(name, is_flag=True, help=help_text)(command)
    for name, short, metavar, help_text in reversed(_CREATE_ONE):
        command = click.option(name, *([short] if short else []), metavar=metavar, help=help_text)(command)
    for name, short, metavar, help_text in reversed(_CREATE_MANY):
        names = (name, *([short] if short else []))
        command = click.option(*names, metavar=metavar, multiple=True, help=help_text)(command)
    command = click.option("--pids-limit", type=int, metavar="NUMBER", help="Most processes it may have.")(command)
    command = click.option(
        "--pull", type=click.Choice(["missing", "always", "never"]), default="missing", show_default=True
    )(command)
    return click.option(
        "--limits", type=click.Choice(["enforce", "best-effort"]), default="enforce", show_default=True,
        help="Refuse, or run without, a limit that the engine would not hold.",
    )(command)  # fmt: skip
