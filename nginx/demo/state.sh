# shellcheck shell=bash
# The state directory of nginx/up: its lock, what an earlier run left in it, its short name, its variables. Sourced.
# shellcheck disable=SC2034,SC2154 # state, workers and locked belong to nginx/up

short=''

open_state() {
  [[ ! $state =~ [[:cntrl:]] ]] || die 'the state directory has control characters in its name'
  umask 077
  mkdir -p -- "$state" || die "cannot make $state"
  state=$(cd -- "$state" && pwd -P)
  [[ -w $state ]] || die "cannot write to $state"
  exec 9>>"$state/lock"
  flock -n 9 || die "another up runs with $state"
  locked=1
  mkdir -p "$state/bin" "$state/log" "$state/redis" "$state/web/www" "$state/web/tmp"
  stop_strays
  rm -f "$state/postgres/postmaster.pid" "$state/redis/redis.sock" "$state/web/cartd.sock" "$state/cartd.pid"
  [[ -s $state/secret ]] || {
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$state/secret.new"
    mv "$state/secret.new" "$state/secret"
  }
  if ((EUID == 0)); then
    # nginx's workers run as www-data. They reach the page and the FastCGI socket, which takes the directory's group.
    chgrp www-data "$state/web"
    chmod 2750 "$state/web"
    chmod 755 "$state/web/www" "$state/web/tmp"
  fi
}

# A socket's path has at most 107 bytes, and libpq reads a comma as the end of one. If that does not fit, clients go
# by a link in a directory of this user.
shorten_state() {
  local LC_ALL=C base=/tmp
  short=$state
  ((${#state} > 75)) || [[ $state == *,* ]] || return 0
  if ((EUID == 0)) && [[ -w /run ]]; then
    base=/run
  elif [[ -O ${XDG_RUNTIME_DIR:-} ]] && ((${#XDG_RUNTIME_DIR} < 40)); then
    base=$XDG_RUNTIME_DIR
  fi
  base+=/cartd-up-$EUID-$(printf %s "$state" | sha256sum | cut -c1-16)
  mkdir -m 700 "$base" 2>/dev/null || [[ -d $base && ! -L $base && -O $base ]] || die "$base is not ours"
  ln -sfn -- "$state" "$base/s"
  short=$base/s
}

# Processes of this directory that a killed up left behind, known by the directory they run in: no pid on file that
# might be another's by now.
strays() {
  local directory pid name
  for directory in /proc/[0-9]*/cwd; do
    [[ $directory -ef $state/$1 ]] || continue
    pid=${directory#/proc/} pid=${pid%/cwd}
    name=$(cat "/proc/$pid/comm" 2>/dev/null) && [[ $name == $2* ]] && echo "$pid"
  done
  return 0
}

stop_strays() {
  local entry directory name with found deadline
  for entry in 'web nginx TERM' 'web cartd TERM' 'redis redis TERM' 'postgres postgres INT'; do
    read -r directory name with <<<"$entry"
    mapfile -t found < <(strays "$directory" "$name")
    ((${#found[@]})) || continue
    say "stopping $name, left behind by an earlier up"
    kill -s "$with" "${found[@]}" 2>/dev/null || true
    kill -s CONT "${found[@]}" 2>/dev/null || true
    deadline=$((SECONDS + 20))
    while mapfile -t found < <(strays "$directory" "$name"); ((${#found[@]})); do
      ((SECONDS < deadline)) || kill -s KILL "${found[@]}" 2>/dev/null || true
      sleep 0.1
    done
  done
}

quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# The variables of this instance, into the file for cartctl and into this process for its children.
write_env() {
  local name host=$short/postgres
  if [[ $host == *[!A-Za-z0-9/._-]* ]]; then
    host=${host//\\/\\\\}
    host="'${host//\'/\\\'}'"
  fi
  export CART_REDIS=unix:$short/redis/redis.sock
  export CART_DATABASE="host=$host port=5432 user=cart dbname=cart"
  export CART_LISTEN=unix:$short/web/cartd.sock
  export CART_PID_FILE=$state/cartd.pid
  export CART_GUEST_SECRET_FILE=$state/secret
  export CART_COOKIE_SECURE=${CART_COOKIE_SECURE:-auto}
  export CART_TOUCH_LIMIT=${CART_TOUCH_LIMIT:-0} # a test may try anything as fast as it can
  [[ -z $workers ]] || export CART_WORKERS=$workers
  unset CART_REDIS_USER CART_REDIS_PASSWORD_FILE CART_BASE_PATH CART_LISTEN_MODE CART_LISTEN_OWNER CART_LISTEN_GROUP
  unset CART_OPS_LISTEN
  {
    echo '# How to reach this instance: set -a; . this file. Written anew by each start.'
    while read -r name; do
      printf '%s=%s\n' "$name" "$(quote "${!name}")"
    done < <(compgen -e CART_ | sort)
  } >"$state/env.new"
  mv -f "$state/env.new" "$state/env"
}
