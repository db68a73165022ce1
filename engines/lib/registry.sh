# A registry beside an engine: Debian's docker-registry in the engine's namespaces, so that 127.0.0.1 means the same
# to the registry, the engine and the client.

cmd_registry() { # NAME [PORT] [noauth]
  local engine=${1:-} port=${2:-5000} auth=${3:-auth} pid try
  need_root
  known "$engine"
  is_vm "$engine" && die "no registry in the vm"
  [[ $port =~ ^[0-9]+$ ]] || die "not a port: $port"
  pid=$(pid_of "$engine") || die "$engine is down"
  cgroup_enter "$engine" 2>/dev/null
  inside "$pid" PORT="$port" AUTH="$auth" bash -c "$REGISTRY_SERVE" || die "registry of $engine: cannot start"
  if is_rootless_docker "$engine"; then
    # its dockerd sits one network namespace further in, and its 127.0.0.1 with it: a second server on the same files
    inside "$pid" PORT="$port" LAB_UID="$LAB_UID" bash -c "$REGISTRY_SERVE_ROOTLESS" || die "registry of $engine: cannot start for its rootless network"
  fi
  for ((try = 0; try < 50; try++)); do
    nsenter -t "$pid" -n curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$port/v2/" && { echo "127.0.0.1:$port"; return; }
    sleep 0.1
  done
  inside "$pid" tail -n 5 "/run/registry-$port/log" >&2
  die "registry of $engine: no answer on port $port"
}
# the hash is bcrypt of `labpass`
# shellcheck disable=SC2016
REGISTRY_SERVE='
  dir=/run/registry-$PORT
  [[ -e $dir/pid ]] && kill -0 "$(<$dir/pid)" 2>/dev/null && exit
  mkdir -p $dir
  echo '\''lab:$2y$05$NEwaYwxZuLOW6KHacKT4kOXBWrBB3YtQGgD1UWOLiSOek/sq5WpOi'\'' >$dir/htpasswd
  {
    printf "version: 0.1\nlog: {level: warn}\n"
    printf "storage: {filesystem: {rootdirectory: /var/lib/registry-%s}, delete: {enabled: true}}\n" $PORT
    printf "http: {addr: \"127.0.0.1:%s\"}\n" $PORT
    [[ $AUTH != auth ]] || printf "auth: {htpasswd: {realm: lab, path: %s/htpasswd}}\n" $dir
  } >$dir/config.yml
  setsid docker-registry serve $dir/config.yml </dev/null >$dir/log 2>&1 &
  echo $! >$dir/pid'
# shellcheck disable=SC2016
REGISTRY_SERVE_ROOTLESS='
  dir=/run/registry-$PORT
  [[ -e $dir/pid2 ]] && kill -0 "$(<$dir/pid2)" 2>/dev/null && exit
  child=$(cat /run/user/$LAB_UID/dockerd-rootless/child_pid) || exit 1
  setsid nsenter -t $child -n docker-registry serve $dir/config.yml </dev/null >$dir/log2 2>&1 &
  echo $! >$dir/pid2'

inside() { # pid NAME=VALUE... CMD...: in all of an engine's namespaces, with a clean environment
  local pid=$1; shift
  nsenter -t "$pid" -a -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}
