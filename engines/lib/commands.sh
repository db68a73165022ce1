# The commands a user types; cmd_registry is in lib/registry.sh.

cmd_up() {
  local engines roots pid pids=() failed=() name
  [[ $# -gt 0 ]] || set -- base
  engines=$(expand "$@") || exit 1
  need_root
  need_debian
  roots=$(for name in $engines; do roots_of "$name"; done | tr ' ' '\n' | sort -u)
  case "$roots" in *uml*) need_tools vm ;; *) need_tools ;; esac
  [[ ${#STATE} -le 70 ]] || die "ENGINES_STATE is too long: a unix socket's path has 108 bytes"
  mkdir -p "$STATE"
  for name in $roots; do (make_root "$name") & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid" || failed+=("$pid"); done
  [[ ${#failed[@]} == 0 ]] || die "an engine's root could not be made"
  (make_image) || die "the busybox image could not be made"
  pids=()
  for name in $engines; do (engine_up "$name") & pids+=("$name:$!"); done
  for pid in "${pids[@]}"; do wait "${pid#*:}" || failed+=("${pid%:*}"); done
  [[ ${#failed[@]} == 0 ]] || die "not up: ${failed[*]}"
}

cmd_down() {
  local engines name
  need_root
  engines=$(expand_or "$ORDER" "$@") || exit 1
  for name in $engines; do
    [[ ! -d $(engine_dir "$name") ]] || (engine_down "$name") &
  done
  wait
}

cmd_reset() {
  local engines name
  [[ $# -gt 0 ]] || die "reset which engine?"
  engines=$(expand "$@") || exit 1
  # shellcheck disable=SC2086
  cmd_down $engines
  for name in $engines; do is_vm "$name" || rm -rf --one-file-system "$(engine_dir "$name")"; done
  # shellcheck disable=SC2086
  cmd_up $engines
}

cmd_list() {
  local engines name
  engines=$(expand_or "$ORDER" "$@") || exit 1
  for name in $engines; do echo "$name ${SPEC[$name]}"; done
  [[ $# == 0 ]] || return 0
  for name in base core vm extra all; do echo "group $name: ${GROUP[$name]}"; done
}

cmd_status() {
  local engines name row='%-10s %-5s %-8s %-24s %-5s %-14s %-12s %s\n' version info
  engines=$(seen "$@") || exit 1
  # shellcheck disable=SC2059
  printf "$row" NAME STATE PID VERSION API STORAGE CGROUPS SOCKET
  for name in $engines; do
    # shellcheck disable=SC2059
    if pid_of "$name" >/dev/null && answers "$name"; then
      version=$(api "$name" version 5); info=$(api "$name" v1.40/info 10)
      printf "$row" "$name" up "$(pid_of "$name")" "$(field "$version" Version)" "$(field "$version" ApiVersion)" \
        "$(field "$info" Driver)" "$(field "$info" CgroupDriver)/$(field "$info" CgroupVersion)" "unix://$(socket_of "$name")"
    else
      printf '%-10s %s\n' "$name" down
    fi
  done
}
# field JSON NAME: print the first string of that name; works for flat JSON, without jq
field() { grep -o "\"$2\": *\"[^\"]*\"" <<<"$1" | head -n 1 | cut -d'"' -f4; }
truth() { if "$@"; then echo true; else echo false; fi; }

cmd_json() {
  local engines name pid separator='' version
  engines=$(seen "$@") || exit 1
  printf '['
  for name in $engines; do
    pid=$(pid_of "$name") || continue
    answers "$name" || continue
    version=$(api "$name" version 5)
    printf '%s\n  {"name": "%s", "kind": "%s", "version": "%s", "api_version": "%s", "rootless": %s, "vm": %s, "url": "unix://%s", "pid": %s, "netns": "/proc/%s/ns/net", "root": "/proc/%s/root", "ip": "%s", "publish": "%s"}' \
      "$separator" "$name" "$(kind_of "$name")" "$(field "$version" Version)" "$(field "$version" ApiVersion)" \
      "$(truth has "$name" rootless)" "$(truth is_vm "$name")" "$(socket_of "$name")" "$pid" "$pid" "$pid" \
      "$(connect_ip "$name")" "$(publish_ip "$name")"
    separator=,
  done
  printf '\n]\n'
}
# connect_ip, publish_ip: where clients connect to published ports, and the address to publish on
connect_ip() { if is_vm "$1"; then echo "$VM_IP"; else echo 127.0.0.1; fi; }
publish_ip() { if is_vm "$1"; then echo 0.0.0.0; else echo 127.0.0.1; fi; }

cmd_env() {
  local engines name pid
  engines=$(seen "$@") || exit 1
  for name in $engines; do
    pid=$(pid_of "$name") || continue
    printf 'export CK_%s_HOST=unix://%s CK_%s_NETNS=/proc/%s/ns/net CK_%s_PID=%s\n' \
      "${name^^}" "$(socket_of "$name")" "${name^^}" "$pid" "${name^^}" "$pid"
  done
}
expand_or() { local default; read -rd '' -a default <<<"$1"; shift; if [[ $# == 0 ]]; then printf '%s\n' "${default[@]}"; else expand "$@"; fi; }
# seen NAME...: print these names; without a name, every engine that was ever started here
seen() { local name; for name in $(expand_or "$ORDER" "$@" || exit 1); do [[ $# -eq 0 && ! -d $(engine_dir "$name") ]] || echo "$name"; done; }

cmd_exec() { # NAME [--] CMD...
  local engine=${1:-} pid; shift
  [[ ${1:-} != -- ]] || shift
  need_root
  known "$engine"
  pid=$(pid_of "$engine") || die "$engine is down"
  export CK_ENGINE=$engine CK_ENGINE_ROOT=/proc/$pid/root CK_HOST CK_IP CK_PUB
  CK_HOST=unix://$(socket_of "$engine"); CK_IP=$(connect_ip "$engine"); CK_PUB=$(publish_ip "$engine")
  unset DOCKER_HOST DOCKER_CONTEXT CONTAINER_HOST
  if [[ $(kind_of "$engine") == docker ]]; then export DOCKER_HOST=$CK_HOST; else export CONTAINER_HOST=$CK_HOST; fi
  export CONTAINERKIT_ENGINE=$CK_HOST
  exec nsenter -t "$pid" -n -- "$@"
}

cmd_in() { # NAME [--] CMD...
  local engine=${1:-} pid user=() env=(PODMAN_IGNORE_CGROUPSV1_WARNING=1); shift
  [[ ${1:-} != -- ]] || shift
  need_root
  known "$engine"
  is_vm "$engine" && die "no way into the vm but its engines' API"
  pid=$(pid_of "$engine") || die "$engine is down"
  # enter its cgroups too: runc looks up its own group below the engine's root
  cgroup_enter "$engine" 2>/dev/null
  if [[ $(kind_of "$engine") == docker ]]; then
    env+=(DOCKER_HOST=unix:///run/ck/docker.sock)
  elif has "$engine" rootless; then
    env+=(HOME=/home/lab XDG_RUNTIME_DIR="/run/user/$LAB_UID")
    user=(setpriv --reuid "$LAB_UID" --regid "$LAB_UID" --init-groups)
  fi
  # keep the current folder if the engine has it
  # shellcheck disable=SC2016
  inside "$pid" "${env[@]}" "${user[@]}" sh -c 'cd "$0" 2>/dev/null || cd "$HOME"; exec "$@"' "$PWD" "$@"
}

cmd_compose() { # NAME [--] ARGS...
  local engine=${1:-} binary; shift
  [[ ${1:-} != -- ]] || shift
  need_root
  known "$engine"
  if [[ $(kind_of "$engine") == docker ]]; then
    (need_debian && make_root compose) >&2 || die "cannot fetch docker compose"
    binary=$STATE/roots/compose/usr/libexec/docker/cli-plugins/docker-compose
    cmd_exec "$engine" -- "$binary" "$@"
  fi
  is_vm "$engine" && die "podman-compose needs a podman command beside it, and the vm has no way in"
  command -v podman-compose >/dev/null || die "no podman-compose here (it is on the package index of Python)"
  # podman-compose drives a podman command; the engine's own is behind `in`
  ENGINES_STATE=$STATE PODMAN_OF=$engine podman-compose --podman-path "$HERE/lib/podman" "$@"
}

cmd_link() { # A B
  local a b
  need_root
  known "${1:-}"; known "${2:-}"
  a=$(pid_of "$1") && b=$(pid_of "$2") || die "both engines must be up"
  nsenter -t "$a" -n ip link show ckl0 >/dev/null 2>&1 && return
  ip link add ckl0 netns "$a" type veth peer name ckl0 netns "$b" || die "cannot link $1 and $2"
  nsenter -t "$a" -n sh -c 'ip addr add 10.231.90.1/24 dev ckl0; ip link set ckl0 up'
  nsenter -t "$b" -n sh -c 'ip addr add 10.231.90.2/24 dev ckl0; ip link set ckl0 up'
}

cmd_purge() {
  cmd_down
  case $STATE in "" | / | /usr* | /etc* | /home | /root | /tmp | /var | /var/lib) die "refusing to empty $STATE" ;; esac
  rm -rf --one-file-system "${STATE:?}"/{roots,apt,image,e}
}
