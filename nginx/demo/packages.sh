# shellcheck shell=bash
# Installs Debian packages without starting their services. Sourced; its user defines say and die, and calls
# allow_services at its end, however that comes.

# What the build and the servers need, and the command or file by which one sees that it is there.
# shellcheck disable=SC2034
readonly system_packages=(
  'libfcgi-dev    /usr/include/fcgiapp.h'
  'libjansson-dev /usr/include/jansson.h'
  'libhiredis-dev /usr/include/hiredis/hiredis.h'
  'libpq-dev      /usr/include/postgresql/libpq-fe.h'
  'libssl-dev     /usr/include/openssl/ssl.h'
  'redis-server   redis-server'
  'postgresql     /usr/lib/postgresql/1[5-9]/bin/postgres'
  'nginx          nginx'
)

made_policy='' policy_root=()

# missing_packages 'PACKAGE SIGN'…: those whose sign, a command or a path, which may have wildcards, is not there.
missing_packages() {
  local line package sign
  for line in "$@"; do
    read -r package sign <<<"$line"
    case $sign in
      /*) compgen -G "$sign" >/dev/null || echo "$package" ;;
      *) command -v "$sign" >/dev/null || echo "$package" ;;
    esac
  done
}

# Debian starts what it installs unless /usr/sbin/policy-rc.d exits 101. Ours says so only while this process lives, so
# that even one left behind by kill -9 forbids nothing.
forbid_services() {
  local file=/usr/sbin/policy-rc.d package status
  if [[ -e $file ]] && ! grep -q 'made by nginx/up' "$file"; then
    for package in "$@"; do
      status=0
      "${policy_root[@]}" "$file" "$package" start >/dev/null 2>&1 || status=$?
      ((status == 101)) || die "$file lets Debian start $package. Install by hand: apt-get install $*"
    done
    return
  fi
  made_policy=$file
  printf '#!/bin/sh\n# made by nginx/up while it installs packages\n[ -d /proc/%s ] && exit 101\nexit 0\n' $$ |
    "${policy_root[@]}" tee "$file" >/dev/null
  "${policy_root[@]}" chmod 755 "$file"
}

# install_packages 'PACKAGE SIGN'…: installs what is missing, as root or by sudo; needs neither when all is there.
install_packages() {
  local missing=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "missing Debian packages: ${missing[*]}"
  command -v apt-get >/dev/null || die 'this is not Debian: install what these packages hold, and start again'
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! sudo -v >&2; then
      die "only root can install them: apt-get install ${missing[*]}"
    fi
    policy_root=(sudo)
  fi
  forbid_services "${missing[@]}"
  local apt=("${policy_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
  "${apt[@]}" update >&2 || say 'apt-get update failed; trying with the lists that are here'
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 </dev/null ||
    die "cannot install: ${missing[*]}"
  allow_services
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || die "installed, and still not to be found: ${missing[*]}"
}

allow_services() {
  [[ -n $made_policy ]] || return 0
  "${policy_root[@]}" rm -f "$made_policy"
  made_policy=''
}
