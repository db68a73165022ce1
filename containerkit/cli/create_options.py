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
    ("--label-file", None, "PATH", "Label it with the lines of a file."),
    ("--dns-search", None, "DOMAIN", "Search names in a domain."),
    ("--dns-option", None, "OPTION", "Set an option of resolv.conf (ndots:2)."),
    ("--storage-opt", None, "NAME=VALUE", "Set an option of the storage driver."),
)
_CREATE_ONE = (
    ("--name", None, "NAME", "Name the container."),
    ("--workdir", "-w", "FOLDER", "Where the command starts."),
    ("--user", "-u", "USER[:GROUP]", "Who runs the command."),
    ("--hostname", "-h", "NAME", "Its host name."),
    ("--domainname", None, "NAME", "Its NIS domain name."),
    ("--entrypoint", None, "COMMAND", "Instead of the image's own."),
    ("--memory", "-m", "SIZE", "Most memory it may use (64m)."),
    ("--cpus", None, "NUMBER", "Most processor time it may use (0.5)."),
    ("--memory-swap", None, "SIZE", "Limit memory and swap together."),
    ("--memory-reservation", None, "SIZE", "Memory to leave to it when the host runs short."),
    ("--cpu-shares", "-c", "NUMBER", "Weight against other containers (1024)."),
    ("--cpu-period", None, "MICROSECONDS", "Period of --cpu-quota."),
    ("--cpu-quota", None, "MICROSECONDS", "Most processor time in each --cpu-period."),
    ("--cpuset-cpus", None, "NUMBERS", "Processors it may use (0-1,3)."),
    ("--cpuset-mems", None, "NUMBERS", "Memory nodes it may use (0-1,3)."),
    ("--pids-limit", None, "NUMBER", "Most processes it may have."),
    ("--oom-score-adj", None, "NUMBER", "Preference of the OOM killer (-1000 to 1000)."),
    ("--shm-size", None, "SIZE", "Set the size of /dev/shm."),
    ("--stop-signal", None, "SIGNAL", "Signal that stop sends."),
    ("--stop-timeout", None, "SECONDS", "Time between the stop signal and SIGKILL."),
    ("--ip", None, "ADDRESS", "Address on the network."),
    ("--ip6", None, "ADDRESS", "IPv6 address on the network."),
    ("--mac-address", None, "ADDRESS", "MAC address on the network."),
    ("--pid", None, "MODE", "Process namespace (host)."),
    ("--ipc", None, "MODE", "IPC namespace (host, private, shareable)."),
    ("--uts", None, "MODE", "UTS namespace (host)."),
    ("--cgroupns", None, "MODE", "Cgroup namespace (host, private)."),
    ("--cgroup-parent", None, "PATH", "Parent cgroup."),
    ("--runtime", None, "NAME", "OCI runtime."),
    ("--gpus", None, "NUMBER", "GPUs (all, 1)."),
    ("--log-driver", None, "NAME", "Log driver."),
    ("--health-cmd", None, "COMMAND", "Command that checks the health."),
    ("--health-interval", None, "TIME", "Time between two checks."),
    ("--health-timeout", None, "TIME", "Longest time of one check."),
    ("--health-retries", None, "NUMBER", "Failed checks in a row until it is unhealthy."),
    ("--health-start-period", None, "TIME", "Time at the start in which failed checks do not count."),
    ("--userns", None, "MODE", "User namespace (keep-id, host)."),
    ("--restart", None, "POLICY", "Restart policy (no, on-failure:3, always, unless-stopped)."),
    ("--platform", None, "OS/ARCH", "Which of the image's platforms."),
)
_CREATE_FLAGS = (
    ("--read-only", None, "The container cannot write to its image."),
    ("--publish-all", "-P", "Publish every exposed port."),
    ("--no-healthcheck", None, "Switch off the image's health check."),
    ("--oom-kill-disable", None, "The kernel's OOM killer spares it; cgroup v1 only."),
    ("--replace", None, "Remove a container that has the name."),
    ("--init", None, "An init process reaps its children."),
    ("--privileged", None, "No confinement: root in it is root on the engine's host."),
)


def create_options(command: Any) -> Any:
    """Add the options of `run` and `create`. A value that was not given is None, an empty one is kept."""
    for name, short, help_text in reversed(_CREATE_FLAGS):
        command = click.option(name, *([short] if short else []), is_flag=True, help=help_text)(command)
    for name, short, metavar, help_text in reversed(_CREATE_ONE):
        command = click.option(name, *([short] if short else []), metavar=metavar, help=help_text)(command)
    for name, short, metavar, help_text in reversed(_CREATE_MANY):
        names = (name, *([short] if short else []))
        command = click.option(*names, metavar=metavar, multiple=True, help=help_text)(command)
    for names in (("--quiet", "-q"), ("--disable-content-trust/--no-disable-content-trust",)):
        command = click.option(*names, expose_value=False, is_flag=True, help="Without effect here.")(command)
    command = click.option(
        "--pull", type=click.Choice(["missing", "always", "never"]), default="missing", show_default=True
    )(command)
    return click.option(
        "--limits", type=click.Choice(["enforce", "best-effort"]), default="enforce", show_default=True,
        help="Refuse, or run without, a limit that the engine would not hold.",
    )(command)  # fmt: skip
