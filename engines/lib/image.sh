# The first image of every engine, lab/busybox:1, built on the spot: no image registry is asked for anything.

busybox_archive() { echo "$STATE/image/bb.tar"; }

make_image() {
  local out work=$STATE/image/work busybox applet layer config
  out=$(busybox_archive)
  [[ -s $out ]] && return
  mkdir -p "$STATE/image"
  lock "$STATE/image/lock"
  [[ -s $out ]] && return
  busybox=$(find "$STATE"/roots/*/usr/bin/busybox "$STATE"/roots/*/bin/busybox -maxdepth 0 2>/dev/null | head -n 1)
  [[ -n $busybox ]] || die "no busybox in any root"

  rm -rf "$work"
  mkdir -p "$work"/layer/{bin,etc,tmp,root,proc,sys,dev,var}
  chmod 1777 "$work/layer/tmp"
  cp -L "$busybox" "$work/layer/bin/busybox"
  "$busybox" --list | while read -r applet; do
    [[ $applet == busybox ]] || ln -s busybox "$work/layer/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$work/layer/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$work/layer/etc/group"
  tar -C "$work/layer" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$work/layer.tar" .

  layer=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
  mkdir -p "$work/out/$layer"
  mv "$work/layer.tar" "$work/out/$layer/layer.tar"
  printf '{"architecture":"%s","os":"linux","created":"2024-01-01T00:00:00Z","config":{"Env":["PATH=/bin"],"Cmd":["sh"],"Labels":{"lab":"1"}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"2024-01-01T00:00:00Z","created_by":"COPY busybox /bin"}]}' \
    "$(dpkg --print-architecture)" "$layer" >"$work/config"
  config=$(sha256sum <"$work/config" | cut -d' ' -f1)
  mv "$work/config" "$work/out/$config.json"
  # docker.io/ is spelled out: Podman would take the bare name for localhost/lab/busybox
  printf '[{"Config":"%s.json","RepoTags":["docker.io/lab/busybox:1"],"Layers":["%s/layer.tar"]}]' "$config" "$layer" >"$work/out/manifest.json"
  tar -C "$work/out" --owner=0 --group=0 -cf "$out.tmp" . && mv "$out.tmp" "$out"
  rm -rf "$work"
}

load_image() { # engine
  local engine=$1 answer name
  answer=$(api "$engine" v1.40/images/load 60 -X POST -H 'Content-Type: application/x-tar' --data-binary @"$(busybox_archive)" 2>&1)
  for name in lab/busybox:1 docker.io/lab/busybox:1; do
    api "$engine" "v1.40/images/$name/json" 10 --fail >/dev/null && return
  done
  log "$engine: cannot load the busybox image: ${answer: -300}"
  return 1
}
