# The machine we run on: messages, progress, the few tools needed, its Debian mirror.

log() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { log "ERROR: $*"; exit 1; }

# with_progress LABEL MEASURE CMD...: run CMD, and print the output of MEASURE every two seconds.
with_progress() {
  local label=$1 measure=$2 ticker rc; shift 2
  # the ticker holds no lock and no pipe: nobody waits for its last sleep
  ( exec {LOCK}>&-; while sleep 2 </dev/null >/dev/null 2>&1; do log "$label … $($measure)"; done ) &
  ticker=$!
  "$@"; rc=$?
  kill "$ticker" 2>/dev/null; wait "$ticker" 2>/dev/null
  return "$rc"
}

# lock FILE: held until this (sub)shell ends; two `up` at once must not build the same thing twice.
LOCK=9
lock() { exec 9>"$1"; flock 9; }

megabytes() { du -sm "$1" 2>/dev/null | cut -f1; }
seconds_since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }'; }

need_root() { [[ $(id -u) == 0 ]] || die "engines.sh needs root: it makes namespaces, mounts and cgroups"; }

# need_debian: fail without apt and dpkg, which cannot be downloaded.
need_debian() {
  local tool
  for tool in apt-get apt-config dpkg-deb; do
    command -v "$tool" >/dev/null || die "no $tool: this script needs Debian or a derivative; it is not needed for a Docker or Podman of your own"
  done
}

# need_tools: install missing tools; a minimal Debian has most of them.
need_tools() {
  local tool missing=() PATH=$PATH:/usr/sbin:/sbin
  local -A package=(
    [awk]=mawk [curl]=curl [find]=findutils [flock]=util-linux [ip]=iproute2 [nsenter]=util-linux [ps]=procps
    [setpriv]=util-linux [sysctl]=procps [tar]=tar [unshare]=util-linux [xz]=xz-utils [zstd]=zstd
  )
  [[ " $* " == *" vm "* ]] && package[mke2fs]=e2fsprogs
  for tool in "${!package[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
  done
  [[ ${#missing[@]} == 0 ]] && return
  log "installing ${missing[*]}"
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"; } \
    </dev/null >&2 || die "cannot install ${missing[*]}"
}

# mirror: print the Debian mirror of this host, as apt reports it.
mirror() {
  if [[ -n ${ENGINES_MIRROR:-} ]]; then echo "$ENGINES_MIRROR"; return; fi
  # shellcheck disable=SC2016  # apt's variables, not the shell's
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "main" && $3 !~ /security|backports|updates/ && $1 ~ /debian\/?$/ { print $1; exit }'
}

# apt_settings DIR SUITE...: write sources and settings for a private apt in DIR that ignores the host's packages.
apt_settings() {
  local dir=$1 url trust suite; shift
  url=$(mirror)
  [[ -n $url ]] || die "apt knows no Debian mirror here; name one: ENGINES_MIRROR=http://…/debian"
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  if [[ -r $keyring ]]; then trust="signed-by=$keyring"; else die "no $keyring (package debian-archive-keyring): Debian's packages cannot be verified"; fi
  mkdir -p "$dir"/{lists/partial,cache/archives/partial}
  : >"$dir/status"
  for suite in "$@"; do echo "deb [$trust] $url $suite main"; done >"$dir/sources.list"
  {
    # keep the host's proxy and certificates; ignore its hooks, pins and other settings
    apt-config dump | grep '^Acquire::'
    cat <<CONF
Dir::State "$dir"; Dir::State::lists "$dir/lists"; Dir::State::status "$dir/status"; Dir::Cache "$dir/cache";
Dir::Etc::main "/dev/null"; Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$dir/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "$dir/preferences"; Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "false"; APT::Get::Assume-Yes "true"; APT::Sandbox::User "root";
Acquire::Languages "none"; Acquire::Retries "3"; Debug::NoLocking "true";
// a machine whose clock is ahead of its mirror takes testing's and unstable's indexes for expired
Acquire::Check-Valid-Until "false"; Acquire::Check-Date "false";
CONF
  } >"$dir/apt.conf"
}
