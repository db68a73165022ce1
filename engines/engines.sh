#!/usr/bin/env bash
# Real container engines, many versions side by side, on one Debian machine.
#
#   engines.sh up [NAME|GROUP]...      start engines; what they need is fetched once, from Debian's archive
#   engines.sh down [NAME|GROUP]...    stop them, with every process, mount and interface of theirs
#   engines.sh status [NAME]...        a table: state, version, storage, cgroups, socket
#   engines.sh json [NAME]...          the running engines as a JSON list, for programs
#   engines.sh env [NAME]...           the running engines as shell assignments
#   engines.sh exec NAME -- CMD...     run a command of this machine in the engine's network namespace: published ports
#                                      are on 127.0.0.1, and DOCKER_HOST or CONTAINER_HOST points to the engine
#   engines.sh in NAME -- CMD...       run a command of the engine's root: `docker` or `podman` of that version
#   engines.sh compose NAME -- ARGS    docker compose or podman-compose, whichever belongs to the engine
#   engines.sh registry NAME [PORT] [noauth]   a registry on 127.0.0.1:PORT (5000) of the engine's network,
#                                      user lab, password labpass
#   engines.sh link A B                a cable between two engines: 10.231.90.1 and 10.231.90.2
#   engines.sh reset NAME...           stop, forget images and containers, start again
#   engines.sh list [NAME|GROUP]...    list engines and groups
#   engines.sh purge                   stop everything and delete the state folder's content
#
# Groups: base core vm extra all (`list` shows who is in them). The vm engines share one user-mode-Linux machine
# with systemd and pure cgroup v2; to a client they are remote: CK_IP and CK_PUB say where to connect and publish.
#
# Needs root and apt. apt only downloads packages; of these, only missing tools of lib/host.sh are installed. Each
# engine runs in namespaces of its own; the host's mounts, network, users, firewall and cgroup controllers are not
# changed.
#
# Settings: ENGINES_STATE   where everything lives (at most 70 characters: unix socket paths are short)
#           ENGINES_MIRROR  a Debian mirror; default: the one that apt uses
#           ENGINES_SHARE   host folders that every engine has at the same path (a:b:c), for bind mounts
#           ENGINES_UID     uid of the rootless user inside the engines
#           ENGINES_VM_MEM  memory of the vm
set -u -o pipefail

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
STATE=${ENGINES_STATE:-/var/lib/containerkit-engines}
SHARE=${ENGINES_SHARE:-/tmp:$(dirname "$HERE")}
LAB_UID=${ENGINES_UID:-1001}

for part in host matrix roots image cgroups engine vm registry commands; do
  # shellcheck source=/dev/null
  . "$HERE/lib/$part.sh"
done

usage() { awk 'NR > 1 { if (!/^#/) exit; print substr($0, 3) }' "$HERE/engines.sh"; }

verb=${1:-help}
[[ $# == 0 ]] || shift
case $verb in
  up | down | status | json | env | exec | in | compose | registry | link | reset | list | purge)
    "cmd_$verb" "$@" ;;
  # the script calls itself again on the far side of a namespace (lib/engine.sh, lib/vm.sh)
  __outside) engine_outside "$1" ;;
  __inside) engine_inside "$1" ;;
  __daemon) engine_daemon "$1" ;;
  __vm) vm_inside ;;
  help | -h | --help) usage ;;
  *) usage >&2; die "unknown command: $verb" ;;
esac
