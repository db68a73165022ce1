# Roots: one read-only Debian tree per suite. No maintainer script runs; this script does the few things that the
# engines need. That is three times as fast as debootstrap and changes nothing outside the tree.

UNWANTED=(doc man info locale zoneinfo perl bash-completion fish zsh)   # below /usr/share

make_root() { # root
  local name=$1 root=$STATE/roots/$1 apt=$STATE/apt/$1 began fetched suites packages lone
  [[ -e $root/.ready ]] && return
  began=$(date +%s.%N)
  mkdir -p "$STATE/roots" "$apt"
  lock "$apt/lock"
  [[ -e $root/.ready ]] && return
  rm -rf "$root"; mkdir -p "$root"
  read -ra suites <<<"$(suites_of "$name")"
  read -rd '' -a packages <<<"$(packages_of "$name")"
  read -ra lone <<<"$(lone_packages_of "$name")"

  apt_settings "$apt" "${suites[@]}"
  printf 'Package: podman netavark golang-github-containers-common\nPin: release a=experimental\nPin-Priority: 990\n' >"$apt/preferences"
  root_fetched() { echo "$(megabytes "$apt/cache/archives") MB"; }
  with_progress "$name: fetching packages" root_fetched root_fetch || { tail -n 15 "$apt/log" >&2; die "$name: cannot fetch its packages (log above)"; }
  fetched=$(date +%s.%N)

  mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
  # merged /usr for every suite, before anything is unpacked: older packages still ship a real /bin and /lib
  local dir; for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$root/$dir"; done
  root_unpacked() { echo "$(megabytes "$root") MB"; }
  with_progress "$name: unpacking" root_unpacked root_unpack || die "$name: cannot unpack its packages"
  rm -rf "$apt/cache/archives"/*.deb
  if [[ ${#packages[@]} -gt 0 ]]; then root_configure "$name" "$root"; fi
  [[ $name == forkyvm ]] && vm_configure "$root"
  touch "$root/.ready"
  log "$name: $(megabytes "$root") MB of packages ready in $(seconds_since "$began") s ($(seconds_since "$fetched") s of it unpacking)"
}

root_fetch() { # in make_root's variables
  local -x APT_CONFIG=$apt/apt.conf
  {
    apt-get -q -o APT::Update::Error-Mode=any update &&
      { [[ ${#packages[@]} == 0 ]] || apt-get -q install --download-only "${packages[@]}"; } &&
      { [[ ${#lone[@]} == 0 ]] || (cd "$apt/cache/archives" && apt-get -q download "${lone[@]}"); }
  } </dev/null >"$apt/log" 2>&1
}

root_unpack() { # in make_root's variables
  local share exclude=()
  for share in "${UNWANTED[@]}"; do exclude+=("--exclude=./usr/share/$share/*"); done
  find "$apt/cache/archives" -name '*.deb' -print0 |
    xargs -0 -P "$(nproc)" -I DEB bash -o pipefail -c \
      'dpkg-deb --fsys-tarfile "$1" | tar -C "$2" -xp --keep-directory-symlink "${@:3}"' unpack DEB "$root" "${exclude[@]}"
}

root_configure() { # root's name, path
  local name=$1 root=$2 table suffix
  # base-passwd, login, uidmap; lab is the rootless user, with the usual 65,536 subordinate ids
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  sed -i 's/:\*:/:x:/' "$root/etc/passwd" "$root/etc/group"
  : >"$root/etc/shadow"
  printf 'docker:x:998:\nlab:x:%s:\n' "$LAB_UID" >>"$root/etc/group"
  printf 'lab:x:%s:%s::/home/lab:/bin/bash\n' "$LAB_UID" "$LAB_UID" >>"$root/etc/passwd"
  printf 'lab:100000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
  # libc, netbase
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  : >"$root/etc/resolv.conf"
  : >"$root/etc/machine-id"
  # alternatives
  for table in iptables ip6tables; do
    for suffix in "" -save -restore; do ln -sfn "$table-nft$suffix" "$root/usr/sbin/$table$suffix"; done
  done
  [[ -e $root/usr/bin/awk ]] || ln -s mawk "$root/usr/bin/awk"
  [[ -e $root/usr/bin/catatonit || ! -e $root/usr/libexec/podman/catatonit ]] ||
    ln -s ../libexec/podman/catatonit "$root/usr/bin/catatonit"
  mkdir -p "$root"/{proc,sys,dev,run,tmp,root,home/lab,srv,etc/docker,etc/containers,var/lib/docker,var/lib/containers,var/tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  # /var/run is on the tmpfs of /run: a stale docker.pid would keep the next daemon from starting
  rm -rf "$root/var/run" "$root/var/lock"
  ln -s /run "$root/var/run"; ln -s /run/lock "$root/var/lock"
  chroot "$root" /sbin/ldconfig || die "$name: ldconfig failed"
}
