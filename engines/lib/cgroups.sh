# Cgroups: an engine gets an ordinary sub-group of its own in every hierarchy the host has, and sees it as the root.

cgroup_name() { echo "ck-$(printf %s "$STATE" | cksum | cut -d' ' -f1)-$1"; }
# v1 hierarchies as the host mounted them; symlinks (cpu -> cpu,cpuacct) are the same hierarchy twice
v1_hierarchies() { local dir; for dir in /sys/fs/cgroup/*/; do dir=${dir%/}; [[ ! -L $dir && -e $dir/tasks ]] && echo "$dir"; done; }
v2_mount() {
  local dir
  for dir in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [[ -e $dir/cgroup.controllers ]] && { echo "$dir"; return; }
  done
  return 1
}

cgroup_enter() { # engine: this process, and what it starts, move there
  local name dir group
  name=$(cgroup_name "$1")
  for dir in $(v1_hierarchies); do
    group=$dir/$name
    mkdir -p "$group" 2>/dev/null || continue
    if [[ -e $group/cpuset.cpus ]]; then   # a new cpuset is empty, and nothing can enter an empty one
      cat "$dir/cpuset.cpus" >"$group/cpuset.cpus"
      cat "$dir/cpuset.mems" >"$group/cpuset.mems"
    fi
    [[ -e $group/memory.use_hierarchy ]] && echo 1 2>/dev/null >"$group/memory.use_hierarchy"
    echo 0 >"$group/cgroup.procs"
  done
  if dir=$(v2_mount); then
    # a v2 group with processes can't hand controllers to its children, so the processes sit in a leaf, `init`,
    # as soon as there is one (cgroup_mount makes it)
    mkdir -p "$dir/$name"
    [[ -d $dir/$name/init ]] && echo 0 >"$dir/$name/init/cgroup.procs" || echo 0 >"$dir/$name/cgroup.procs"
  fi
}

cgroup_mount() { # engine: inside its namespaces, mount what its cgroup namespace shows
  local engine=$1 controllers dir
  if has "$engine" v2 || ! v1_in_use; then
    mount -t cgroup2 none /sys/fs/cgroup
    cgroup_delegate /sys/fs/cgroup
    ! has "$engine" rootless || chown "$LAB_UID:$LAB_UID" /sys/fs/cgroup /sys/fs/cgroup/cgroup.{procs,threads,subtree_control}
    return
  fi
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  for controllers in $(cut -d: -f2 /proc/self/cgroup); do
    dir=/sys/fs/cgroup/${controllers#name=}
    mkdir "$dir"
    if [[ $controllers == name=* ]]; then mount -t cgroup -o "none,$controllers" cgroup "$dir"
    else mount -t cgroup -o "$controllers" cgroup "$dir"; fi
  done
  mkdir /sys/fs/cgroup/unified
  mount -t cgroup2 none /sys/fs/cgroup/unified
  cgroup_delegate /sys/fs/cgroup/unified
}
v1_in_use() { grep -qvE '^(0::|[0-9]+:name=)' /proc/self/cgroup; }

cgroup_delegate() { # v2 mount: make room for the engine's own groups beside its processes
  local root=$1 pid controller
  mkdir -p "$root/init"
  while read -r pid; do echo "$pid" >"$root/init/cgroup.procs" || true; done 2>/dev/null <"$root/cgroup.procs"
  for controller in $(<"$root/cgroup.controllers"); do echo "+$controller" >"$root/cgroup.subtree_control" || true; done 2>/dev/null
}

cgroup_remove() { # engine: gone once nothing runs in it, which takes the kernel a moment after the last process
  local dir group try
  for dir in $(v1_hierarchies) $(v2_mount); do
    group=$dir/$(cgroup_name "$1")
    for try in 1 2 3 4 5; do
      [[ -d $group ]] || break
      [[ $try == 1 ]] || sleep 0.2
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
    done
  done
  return 0
}
