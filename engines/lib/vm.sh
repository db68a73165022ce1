# The vm: user-mode Linux, a kernel that is an ordinary process. It boots forky with systemd and pure cgroup v2, and
# so has what engines on a v1 or hybrid host can't show: limits under rootless, healthchecks by systemd's timers.

VM_IP=10.231.88.2
VM_ENGINES=(docker podman podmanr dockerr)      # engine vmX is on port 2375, 2376, … in this order
VM_MODULES=(overlay bridge br_netfilter veth ip_tables iptable_nat iptable_filter iptable_mangle ip6table_nat
  ip6table_filter xt_nat xt_addrtype xt_conntrack xt_MASQUERADE xt_mark xt_comment xt_tcpudp xt_ipvs ip_vs ip_vs_rr
  vxlan fuse tun xt_REDIRECT)
VM_UNUSED_UNITS=(getty.target apt-daily.timer apt-daily-upgrade.timer systemd-networkd.service
  systemd-timesyncd.service e2scrub_reap.service fstrim.timer man-db.timer dpkg-db-backup.timer systemd-udevd.service
  systemd-udev-trigger.service console-getty.service podman-auto-update.timer systemd-firstboot.service
  ldconfig.service systemd-journal-catalog-update.service systemd-update-done.service systemd-hwdb-update.service)

vm_socket() { # name, path inside the vm's users' world
  case $1 in
    docker) echo /run/docker.sock ;;
    podman) echo /run/podman/podman.sock ;;
    podmanr) echo "/run/user/$LAB_UID/podman/podman.sock" ;;
    dockerr) echo "/run/user/$LAB_UID/docker.sock" ;;
  esac
}

# forky's tree, made bootable: four engines, two of them of the lingering user lab
vm_configure() { # root
  local root=$1 name table suffix port=2375 units=$1/etc/systemd/system user=$1/home/lab/.config/systemd/user
  for name in account auth password session session-noninteractive; do
    printf '%s required pam_permit.so\n' "${name%%-*}" >"$root/etc/pam.d/common-$name"
  done
  for name in session session-noninteractive; do echo 'session optional pam_systemd.so' >>"$root/etc/pam.d/common-$name"; done
  for table in iptables ip6tables; do   # this kernel has no nf_tables for IPv4
    for suffix in "" -save -restore; do ln -sfn "$table-legacy$suffix" "$root/usr/sbin/$table$suffix"; done
  done
  chroot "$root" systemd-sysusers >/dev/null 2>&1
  # a machine id of its own: "uninitialized" would make systemd ask questions on the console
  { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; echo; } >"$root/etc/machine-id"
  ln -sf /usr/share/zoneinfo/UTC "$root/etc/localtime"
  echo LANG=C.UTF-8 >"$root/etc/locale.conf"
  echo vm >"$root/etc/hostname"
  : >"$root/etc/fstab"
  touch "$root/etc/.updated" "$root/var/.updated"

  mkdir -p "$root"/{var/lib/systemd/linger,etc/modules-load.d} "$units"/{multi-user,sockets}.target.wants "$units/user@.service.d"
  touch "$root/var/lib/systemd/linger/lab"
  printf '%s\n' "${VM_MODULES[@]}" >"$root/etc/modules-load.d/engines.conf"
  echo '{"insecure-registries":["127.0.0.0/8"]}' >"$root/etc/docker/daemon.json"
  printf '[network]\nfirewall_driver = "iptables"\n' >"$root/etc/containers/containers.conf"
  echo 'unqualified-search-registries = ["docker.io"]' >"$root/etc/containers/registries.conf"
  echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$root/etc/containers/policy.json"

  cat >"$units/engines-net.service" <<UNIT
[Unit]
After=systemd-modules-load.service
Before=docker.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set lo up; ip addr add $VM_IP/24 dev vec0; ip link set vec0 up; ip route add default via 10.231.88.1; chmod 666 /dev/fuse /dev/net/tun; sysctl -qw net.ipv4.ip_forward=1 || true'
UNIT
  ln -sf ../engines-net.service "$units/multi-user.target.wants/"
  for name in "${VM_ENGINES[@]}"; do
    printf '[Unit]\nAfter=engines-net.service\n[Service]\nExecStart=/usr/bin/socat -t 3600 TCP-LISTEN:%s,fork,reuseaddr,nodelay UNIX-CONNECT:%s\nRestart=always\n' \
      "$port" "$(vm_socket "$name")" >"$units/engines-$name.service"
    ln -sf "../engines-$name.service" "$units/multi-user.target.wants/"
    port=$((port + 1))
  done
  ln -sf /usr/lib/systemd/system/docker.service "$units/multi-user.target.wants/"
  ln -sf /usr/lib/systemd/system/{docker,podman}.socket "$units/sockets.target.wants/"
  ln -sf /usr/lib/systemd/system/multi-user.target "$units/default.target"
  for name in "${VM_UNUSED_UNITS[@]}"; do ln -sf /dev/null "$units/$name"; done
  printf '[Service]\nDelegate=cpu memory pids io\n' >"$units/user@.service.d/delegate.conf"

  mkdir -p "$user"/{default,sockets}.target.wants "$root/home/lab/.config/containers"
  ln -sf /usr/lib/systemd/user/podman.socket "$user/sockets.target.wants/"
  cat >"$user/docker.service" <<'UNIT'
[Service]
Environment=PATH=/usr/share/docker.io/contrib:/usr/sbin:/usr/bin:/sbin:/bin DOCKERD_ROOTLESS_ROOTLESSKIT_NET=slirp4netns DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=builtin
ExecStart=/bin/sh /usr/share/docker.io/contrib/dockerd-rootless.sh
Delegate=yes
Type=notify
NotifyAccess=all
TimeoutSec=0
UNIT
  ln -sf ../docker.service "$user/default.target.wants/"
  chown -R "$LAB_UID:$LAB_UID" "$root/home/lab"
}

vm_start() {
  local dir
  dir=$(engine_dir vmdocker)
  mkdir -p "$dir"/{run,tree,root}
  exec 8>"$dir/lock"; flock 8     # four engines, one machine
  pid_of vmdocker >/dev/null && return
  rm -f "$dir"/run/*.sock "$dir/pid" "$dir/disk.img"
  chmod 755 "$dir"
  vm_disk_size() { echo "$(megabytes "$dir/disk.img.tmp") MB"; }
  vm_disk_make() { unshare --mount bash -e -c "$VM_DISK" disk "$STATE" "$dir" "$(uml_root)" >"$dir/mkfs.log" 2>&1; }
  with_progress "vm: making its disk" vm_disk_size vm_disk_make || { tail -n 10 "$dir/mkfs.log" >&2; return 1; }
  launch "$dir" : -- __vm __vm
}
# A fresh disk at every start (3 s): the vm ends as by a power cut. No journal is worth writing.
# shellcheck disable=SC2016
VM_DISK='
  rm -rf "$2"/{upper,work}; mkdir -p "$2"/{upper,work}
  mount -t overlay overlay -o "lowerdir=$1/roots/forkyvm,upperdir=$2/upper,workdir=$2/work" "$2/tree"
  mkdir -p "$2/tree/usr/lib/modules"
  cp -a "$1"/roots/$3/usr/lib/uml/modules/* "$2/tree/usr/lib/modules/"
  PATH=$PATH:/usr/sbin:/sbin mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -d "$2/tree" -F "$2/disk.img.tmp" 6G
  mv "$2/disk.img.tmp" "$2/disk.img"'

# pid 1 of the vm's namespaces: a cable to it, a unix socket for each of its engines, and the kernel itself
vm_inside() {
  local dir root name port=2375
  dir=$(engine_dir vmdocker); root=$dir/root
  set -e
  mount --bind "$STATE/roots/forkyvm" "$root"
  mount -t proc proc "$root/proc"
  mount_dev "$root/dev"
  mount -t tmpfs tmp "$root/tmp"
  mkdir "$root"/tmp/{e,uml}
  mount --bind "$dir" "$root/tmp/e"
  mount --bind "$STATE/roots/$(uml_root)" "$root/tmp/uml"
  ip link set lo up
  ip tuntap add dev tap0 mode tap
  ip addr add 10.231.88.1/24 dev tap0
  ip link set tap0 up
  for name in "${VM_ENGINES[@]}"; do
    chroot "$root" socat -t 3600 "UNIX-LISTEN:/tmp/e/run/vm$name.sock,fork,mode=666" "TCP:$VM_IP:$port,nodelay" &
    port=$((port + 1))
  done
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TMPDIR=/dev/shm \
    /tmp/uml/usr/bin/linux.uml mem="${ENGINES_VM_MEM:-3G}" umid=engines uml_dir=/tmp/ \
    ubd0=/tmp/e/disk.img root=/dev/ubda rw vec0:transport=tap,ifname=tap0 con=null con0=null,fd:1 con1=null,fd:1 \
    init=/lib/systemd/systemd systemd.unified_cgroup_hierarchy=1 systemd.show_status=no quiet panic=1 &
  wait $!
}
