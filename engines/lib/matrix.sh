# The engines, their Debian suites, and their packages.

# name = kind:suite[:flag,...]
#   rootless    run by the user `lab`, not by root          containerd  Docker's containerd image store
#   runc, crun  the OCI runtime Podman uses                 v2          a pure cgroup v2 view (on a v1 or hybrid
#                                                                      host: without controllers, so no limits)
declare -A SPEC=(
  [docker20b]=docker:bullseye
  [docker20]=docker:bookworm
  [docker20r]=docker:bookworm:rootless
  [docker26]=docker:trixie
  [docker26c]=docker:trixie:containerd
  [docker26r]=docker:trixie:rootless
  [docker28]=docker:forky
  [docker28c]=docker:forky:containerd
  [docker28r]=docker:forky:rootless
  [docker28v2]=docker:forky:v2
  [podman3]=podman:bullseye:runc
  [podman4]=podman:bookworm:runc
  [podman4r]=podman:bookworm:runc,rootless
  [podman54]=podman:trixie:runc
  [podman54r]=podman:trixie:runc,rootless
  [podman58]=podman:forky:runc
  [podman58r]=podman:forky:runc,rootless
  [podman58c]=podman:forky:crun
  [podman58v2]=podman:forky:v2
  [podman6]=podman:experimental:v2            # Podman 6 refuses cgroup v1
  [podman6r]=podman:experimental:v2,rootless
  [vmdocker]=docker:vm
  [vmdockerr]=docker:vm:rootless
  [vmpodman]=podman:vm
  [vmpodmanr]=podman:vm:rootless
)
ORDER="docker20b docker20 docker20r docker26 docker26c docker26r docker28 docker28c docker28r docker28v2
  podman3 podman4 podman4r podman54 podman54r podman58 podman58r podman58c podman58v2 podman6 podman6r
  vmdocker vmdockerr vmpodman vmpodmanr"

declare -A GROUP=(
  [base]="docker20 podman4 podman4r"
  [core]="docker20 docker26 docker28 docker28c docker28r podman4 podman4r podman54 podman54r podman58 podman58r podman6 podman6r"
  [vm]="vmdocker vmdockerr vmpodman vmpodmanr"
  [extra]="docker20b podman3 podman58c podman58v2 docker28v2"
)
GROUP[all]="docker20r docker26c docker26r ${GROUP[core]} ${GROUP[vm]}"

# expand NAME|GROUP...: engine names, each once
expand() {
  local word names=()
  for word in "$@"; do
    if [[ -n ${GROUP[$word]:-} ]]; then names+=(${GROUP[$word]})
    elif [[ -n ${SPEC[$word]:-} ]]; then names+=("$word")
    else die "unknown engine or group: $word (see: engines.sh list)"; fi
  done
  printf '%s\n' "${names[@]}" | awk '!seen[$0]++'
}
known() { [[ -n ${SPEC[${1:-}]:-} ]] || die "unknown engine: ${1:-(none given)} (see: engines.sh list)"; }

kind_of() { local spec=${SPEC[$1]}; echo "${spec%%:*}"; }
suite_of() { local spec=${SPEC[$1]#*:}; echo "${spec%%:*}"; }
has() { local spec=${SPEC[$1]#*:}; [[ $spec == *:* && ,${spec#*:}, == *,$2,* ]]; }
is_vm() { [[ $(suite_of "$1") == vm ]]; }
is_rootless_docker() { [[ $(kind_of "$1") == docker ]] && has "$1" rootless; }

# roots_of ENGINE: the folders of roots/ that an engine needs
roots_of() { if is_vm "$1"; then echo "$(uml_root)" forkyvm; else suite_of "$1"; fi; }

# The vm's kernel. trixie's cannot run programs on a processor with AMX (their registers are larger than it knows).
uml_root() { if grep -qw amx_tile /proc/cpuinfo; then echo umlforky; else echo uml; fi; }

packages_of() { # root
  local tools="dash bash coreutils util-linux mount procps base-passwd base-files libc-bin iproute2 iptables kmod tar
    xz-utils grep sed findutils hostname netbase busybox-static uidmap login passwd ca-certificates"
  local podman="podman crun runc netavark aardvark-dns fuse-overlayfs catatonit"
  local docker="docker.io rootlesskit slirp4netns"
  case $1 in
    bullseye) echo "$tools $docker podman crun runc fuse-overlayfs tini containernetworking-plugins libpam-modules libpam-runtime" ;;
    bookworm) echo "$tools $docker $podman" ;;
    trixie) echo "$tools $docker docker-cli $podman passt nftables" ;;
    forky) echo "$tools $docker docker-cli docker-buildx $podman passt nftables" ;;
    experimental) echo "$tools $podman passt nftables" ;;
    forkyvm) echo "$tools $docker docker-cli $podman passt systemd systemd-sysv dbus dbus-user-session libpam-systemd
      libpam-modules libpam-runtime socat" ;;
  esac
}

# packages without their dependencies: single programs that need libc at most
lone_packages_of() { # root
  case $1 in
    uml | umlforky) echo user-mode-linux ;;
    compose) echo docker-compose ;;
    *) echo docker-registry ;;
  esac
}

suites_of() { # root
  case $1 in
    experimental) echo forky experimental ;;   # experimental alone would bring a libc the rest does not expect
    forkyvm | umlforky) echo forky ;;
    uml | compose) echo trixie ;;              # forky's UML kernel lacks legacy iptables and nf_tables for IPv4
    *) echo "$1" ;;
  esac
}
