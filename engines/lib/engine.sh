# One engine: a Debian root under a private writable layer, in namespaces of its own, with the daemon in it.
#
# Its own network namespace each, because two dockerds in one flush each other's firewall chains and two Podmans hand
# out the same addresses. Its own pid namespace, so that killing one process ends daemon, shims, proxies and
# containers together, and mounts and interfaces with them.

engine_dir() { if is_vm "$1"; then echo "$STATE/e/vm"; else echo "$STATE/e/$1"; fi; }
socket_of() { if is_vm "$1"; then echo "$(engine_dir "$1")/run/$1.sock"; else echo "$(engine_dir "$1")/run/$(kind_of "$1").sock"; fi; }

# pid_of ENGINE: this machine's pid of the first process in the engine's pid namespace; fails if it doesn't run
pid_of() {
  local file pid
  file=$(engine_dir "$1")/pid
  [[ -r $file ]] || return 1
  pid=$(<"$file")
  # another process may have this pid by now
  [[ -n $pid && -d /proc/$pid ]] && grep -qazE -- '^__(outside|inside|vm)$' "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

api() { # engine path timeout [curl's options]
  local engine=$1 path=$2 limit=$3; shift 3
  curl --silent --max-time "$limit" --unix-socket "$(socket_of "$engine")" "$@" "http://engine/$path"
}
answers() { [[ $(api "$1" _ping 3) == OK ]]; }

engine_start() { # engine
  local engine=$1 dir
  dir=$(engine_dir "$engine")
  pid_of "$engine" >/dev/null && return
  if is_vm "$engine"; then vm_start; return; fi
  mkdir -p "$dir"/{upper,work,root,data,run,home,vartmp}
  chmod 755 "$dir" "$dir/run"
  rm -f "$dir"/run/*.sock "$dir/pid"
  cgroup_remove "$engine"
  launch "$dir" cgroup_enter "$engine" -- __outside "$engine"
}

# launch DIR PREPARE... -- ARGS...: this script again with ARGS, detached, as pid 1 of new namespaces, after PREPARE
launch() {
  local dir=$1 prepare=() outer inner try; shift
  while [[ $1 != -- ]]; do prepare+=("$1"); shift; done; shift
  (
    # close the locks and pipes of the caller
    exec 9>&- 8>&- </dev/null >"$dir/log" 2>&1
    "${prepare[@]}"
    exec setsid unshare --mount --pid --net --ipc --uts --fork --kill-child=KILL bash "$HERE/engines.sh" "$@"
  ) &
  outer=$!
  disown
  for ((try = 0; try < 200; try++)); do
    if [[ $(cat "/proc/$outer/comm" 2>/dev/null) == unshare ]]; then
      read -r inner _ <"/proc/$outer/task/$outer/children"     # no newline at its end, so `read` itself fails
      [[ -z ${inner:-} ]] || break
    fi
    [[ -d /proc/$outer ]] || break
    sleep 0.05
  done
  [[ -n ${inner:-} ]] || { tail -n 5 "$dir/log" >&2; return 1; }
  echo "$inner" >"$dir/pid"
}

# As pid 1 of the new namespaces, still seeing the host's tree: build the engine's own and move into it.
engine_outside() {
  local engine=$1 dir root share
  dir=$(engine_dir "$engine"); root=$dir/root
  set -e
  hostname "$engine" 2>/dev/null || true
  mount -t overlay overlay -o "lowerdir=$STATE/roots/$(suite_of "$engine"),upperdir=$dir/upper,workdir=$dir/work" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount_dev "$root/dev"
  mount -t tmpfs -o mode=755 run "$root/run"
  mkdir -p "$root/run"/{ck,engines,lock,"user/$LAB_UID"}
  chown "$LAB_UID:$LAB_UID" "$root/run/user/$LAB_UID"
  chmod 700 "$root/run/user/$LAB_UID"

  bind "$dir/run" "$root/run/ck"                 # the sockets
  bind "$HERE" "$root/run/engines"
  chown "$LAB_UID:$LAB_UID" "$dir/home"
  bind "$dir/home" "$root/home/lab"
  if [[ $(kind_of "$engine") == docker ]]; then bind "$dir/data" "$root/var/lib/docker"; else bind "$dir/data" "$root/var/lib/containers"; fi
  chmod 1777 "$dir/vartmp"
  bind "$dir/vartmp" "$root/var/tmp"             # not the overlay: `podman build` mounts overlays below it
  while read -rd : share; do
    [[ ! -d $share || $share == / ]] || bind "$share" "$root$share"
  done <<<"$SHARE:"

  ip link set lo up
  # pasta, the network of rootless Podman 5 and later, wants an interface with a default route; this one leads nowhere
  ip link add eng0 type veth peer name eng1
  ip addr add 10.231.77.2/24 dev eng0
  ip link set eng0 up
  ip link set eng1 up
  ip route add default via 10.231.77.1
  sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || true

  cd "$root"
  mkdir -p .old
  pivot_root . .old
  exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    ENGINES_STATE="$STATE" ENGINES_UID="$LAB_UID" unshare --cgroup bash /run/engines/engines.sh __inside "$engine"
}
bind() { mkdir -p "$2"; mount --rbind "$1" "$2"; }
mount_dev() { # path
  local dev=$1 node
  mount -t tmpfs -o mode=755,size=64k,nr_inodes=512 dev "$dev"
  mkdir "$dev"/{net,pts,shm,mqueue}
  for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0" "fuse 10 229" "net/tun 10 200"; do
    # shellcheck disable=SC2086
    set -- $node
    mknod -m 666 "$dev/$1" c "$2" "$3"
  done
  ln -s pts/ptmx "$dev/ptmx"
  ln -s /proc/self/fd "$dev/fd"
  for node in stdin:0 stdout:1 stderr:2; do ln -s "fd/${node#*:}" "$dev/${node%:*}"; done
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$dev/pts"
  mount -t tmpfs -o mode=1777 shm "$dev/shm"
  mount -t mqueue mqueue "$dev/mqueue" || true
}

# In the engine's own tree, pid 1: configure, start the daemon, and reap (bash waits for every orphan it inherits).
engine_inside() {
  local engine=$1 daemon
  set -e
  umount -l /.old
  rmdir /.old 2>/dev/null || true
  cgroup_mount "$engine"
  set +e
  "configure_$(kind_of "$engine")" "$engine"
  trap 'kill -TERM "$daemon" 2>/dev/null' TERM
  if has "$engine" rootless; then
    chown "$LAB_UID:$LAB_UID" /run/ck
    cd /home/lab || exit 1
    HOME=/home/lab USER=lab XDG_RUNTIME_DIR=/run/user/$LAB_UID \
      setpriv --reuid "$LAB_UID" --regid "$LAB_UID" --init-groups bash /run/engines/engines.sh __daemon "$engine" &
  else
    bash /run/engines/engines.sh __daemon "$engine" &
  fi
  daemon=$!
  while kill -0 "$daemon" 2>/dev/null; do wait -n 2>/dev/null || sleep 0.1; done
  echo "the daemon of $engine ended"
}

configure_docker() { # engine
  local settings='"insecure-registries":["127.0.0.0/8"]'
  ! has "$1" containerd || settings+=',"features":{"containerd-snapshotter":true}'
  mkdir -p /home/lab/.config/docker
  echo "{$settings}" | tee /etc/docker/daemon.json >/home/lab/.config/docker/daemon.json
  chown -R "$LAB_UID:$LAB_UID" /home/lab/.config
}

configure_podman() { # engine
  local runtime=crun host
  ! has "$1" runc || runtime=runc
  {
    # without CAP_SYS_RESOURCE nobody goes above this host's own limits, and Podman's defaults may be above them
    printf '[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n' "$(ulimit -Hn)" "$(ulimit -Hn)" "$(process_limit)" "$(process_limit)"
    ! has "$1" v2 || echo 'pids_limit = 0'     # the default fails without a pids controller
    [[ -x /usr/libexec/podman/catatonit || -x /usr/bin/catatonit ]] || echo 'init_path = "/usr/bin/tini"'
    printf '[engine]\nruntime = "%s"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' "$runtime"
  } >/etc/containers/containers.conf
  {
    echo 'unqualified-search-registries = ["docker.io"]'
    # without a port: any port (a prefix ends at ":" too)
    for host in 127.0.0.1 localhost; do printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$host"; done
  } >/etc/containers/registries.conf
  podman_storage /run/containers/storage /var/lib/containers/storage >/etc/containers/storage.conf
  [[ -e /etc/containers/policy.json ]] || echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json
  if has "$1" rootless; then
    mkdir -p /home/lab/.config/containers
    # both paths: Podman 4.3 finds one of its own for pulling, and none for committing
    podman_storage "/run/user/$LAB_UID/containers" /home/lab/.local/share/containers/storage >/home/lab/.config/containers/storage.conf
    chown -R "$LAB_UID:$LAB_UID" /home/lab/.config
  fi
}
podman_storage() { printf '[storage]\ndriver = "overlay"\nrunroot = "%s"\ngraphroot = "%s"\n' "$1" "$2"; }
process_limit() { local hard; hard=$(ulimit -Hu); [[ $hard != unlimited && $hard -lt 32768 ]] || hard=32768; echo "$hard"; }

engine_daemon() { # engine
  local script
  export PODMAN_IGNORE_CGROUPSV1_WARNING=1
  case $(kind_of "$1") in
    podman) exec podman system service --time=0 unix:///run/ck/podman.sock ;;
    docker) has "$1" rootless || exec dockerd -H unix:///run/ck/docker.sock ;;
  esac
  for script in /usr/share/docker.io/contrib /usr/share/docker/contrib /usr/bin; do
    [[ ! -e $script/dockerd-rootless.sh ]] || break
  done
  export PATH=$script:$PATH DOCKERD_ROOTLESS_ROOTLESSKIT_NET=slirp4netns DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=builtin
  exec sh "$script/dockerd-rootless.sh" -H unix:///run/ck/docker.sock
}

engine_wait() { # engine: until it answers
  local engine=$1 try tries=150
  ! is_vm "$engine" || tries=600
  engine_phase() { echo "waiting for its API"; }
  engine_poll() {
    for ((try = 0; try < tries; try++)); do
      answers "$engine" && return
      pid_of "$engine" >/dev/null || return 1
      sleep 0.2
    done
    return 1
  }
  with_progress "$engine" engine_phase engine_poll && return
  log "$engine did not come up; the end of its log:"
  tail -n 20 "$(engine_dir "$engine")/log" >&2
  return 1
}

engine_up() { # engine: started, answering, and with an image in it
  local engine=$1 began
  began=$(date +%s.%N)
  mkdir -p "$STATE/e"
  lock "$STATE/e/.$engine.lock"
  engine_start "$engine" && engine_wait "$engine" && load_image "$engine" || { log "$engine: FAILED"; return 1; }
  log "$engine up in $(seconds_since "$began") s: unix://$(socket_of "$engine")"
}

engine_down() { # engine
  local engine=$1 pid
  if pid=$(pid_of "$engine"); then
    is_vm "$engine" || kill -TERM "$pid" 2>/dev/null   # the vm's disk is thrown away anyway
    is_vm "$engine" || gone_within 6 "$pid" || true
    kill -KILL "$pid" 2>/dev/null
    gone_within 3 "$pid" || log "$engine: process $pid is still there"
    log "$engine down"
  fi
  rm -f "$(engine_dir "$engine")/pid" "$(engine_dir "$engine")"/run/*.sock
  is_vm "$engine" || cgroup_remove "$engine"
}
gone_within() { # seconds pid
  local try
  for ((try = 0; try < $1 * 10; try++)); do [[ -d /proc/$2 ]] || return 0; sleep 0.1; done
  return 1
}
