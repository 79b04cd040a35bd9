# shellcheck shell=bash
# The servers of nginx/up: how each is started, awaited and stopped. Sourced.
# shellcheck disable=SC2154 # root, state, short, port, workers, catalog, empty and hurry are set by the others

identity=() bin=''
declare -A pids=()

# The newest PostgreSQL from 15, or the one that the data were made by.
find_postgres() {
  local version directory found=''
  version=$(cat -- "$state/postgres/PG_VERSION" 2>/dev/null) || version=''
  for directory in /usr/lib/postgresql/${version:-*}/bin; do
    [[ -x $directory/postgres && $(basename "${directory%/bin}") -ge 15 ]] && found=$directory
  done
  printf %s "$found"
}

# start NAME DEATH-SIGNAL DIRECTORY COMMAND…: a server in a session of its own, so that Ctrl-C reaches this script
# alone. It starts inside its directory and uses relative paths, which is what lets an unprivileged one live below
# directories that it may not enter. If this script is killed, the kernel sends it DEATH-SIGNAL.
start() {
  local name=$1 with=$2 directory=$3
  shift 3
  (
    cd -- "$directory" || exit
    exec setsid setpriv --pdeathsig "$with" --no-new-privs "${identity[@]}" -- env --default-signal "$@"
  ) </dev/null >>"$state/log/$name.log" 2>&1 9>&- &
  pids[$name]=$!
}

# As root, a store runs as the owner of its data: at first the account that Debian made for it.
become() {
  local directory=$1 account=$2 owner
  identity=()
  ((EUID == 0)) || return 0
  owner=$(stat -c %u "$directory")
  if ((owner == 0)); then
    id -u "$account" >/dev/null 2>&1 || account=nobody
    chown -R "$account:" "$directory"
    owner=$(id -u "$account")
  fi
  identity=("--reuid=$owner" "--regid=$(stat -c %g "$directory")" --clear-groups)
}

tail_logs() {
  local name
  for name in "$@"; do
    [[ -s $state/log/$name.log ]] || continue
    printf -- '--- the end of %s\n' "$state/log/$name.log" >&2
    tail -n 15 -- "$state/log/$name.log" >&2
  done
}

# await SECONDS NAME COMMAND…: until the command succeeds; a server that ended, or time that is up, is the end.
await() {
  local deadline=$((SECONDS + $1)) name=$2 server
  shift 2
  until "$@" >/dev/null 2>&1; do
    for server in "${!pids[@]}"; do
      kill -0 "${pids[$server]}" 2>/dev/null || { tail_logs "$server"; die "$server ended while starting"; }
    done
    ((SECONDS < deadline)) || { tail_logs cartd nginx-error "$name"; die "$name does not answer as it should"; }
    sleep 0.05
  done
}

start_redis() {
  become "$state/redis" redis
  start redis TERM "$state/redis" redis-server --port 0 --unixsocket redis.sock --unixsocketperm 700 --dir . \
    --daemonize no --save '' --appendonly yes --appendfsync everysec --maxmemory-policy noeviction \
    --hash-max-listpack-value 256
  await 120 redis ping_redis
}

ping_redis() { [[ $(redis-cli -s "$short/redis/redis.sock" ping) == PONG ]]; }

# PostgreSQL refuses to run as root, leaves the directory it was started in while it looks for its own programs, and
# turns -D into an absolute path, which leads through directories that may be closed to it. A descriptor that is open
# already leads through none.
start_postgres() {
  local connections=$((100 + 2 * ${workers:-0}))
  if [[ ! -d $state/postgres ]]; then
    rm -rf "$state/postgres.new"
    mkdir "$state/postgres.new"
    become "$state/postgres.new" postgres
    run setpriv --no-new-privs "${identity[@]}" -- "$bin/initdb" -D /proc/self/fd/3 -U postgres -A trust \
      --encoding=UTF8 --locale=C 3<"$state/postgres.new" >>"$state/log/postgres.log" 2>&1 ||
      { tail_logs postgres; die 'initdb failed'; }
    mv "$state/postgres.new" "$state/postgres"
  fi
  become "$state/postgres" postgres
  # Trust is for those who can open the socket: its owner and root. Statements of carts are not for the log.
  start postgres INT / "$bin/postgres" -D /proc/self/fd/3 -c listen_addresses= -c unix_socket_directories=. \
    -c unix_socket_permissions=0700 -c port=5432 -c max_connections="$connections" -c timezone=UTC \
    -c log_min_error_statement=panic -c log_error_verbosity=terse 3<"$state/postgres"
  await 120 postgres "$bin/pg_isready" -q -h "$short/postgres" -U postgres -d postgres
  "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$short/postgres" -U postgres -d postgres >&2 <<'SQL' || die 'cannot make the database'
SELECT 'CREATE ROLE cart LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cart') \gexec
SELECT 'CREATE DATABASE cart OWNER cart' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'cart') \gexec
SQL
}

sql() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -v schema="${CART_SCHEMA:-cart}" -d "$CART_DATABASE"; }

load_catalog() {
  local file=$catalog format=()
  if [[ -z $file ]]; then
    [[ -z $empty && $(sql <<<'SELECT EXISTS (SELECT FROM :"schema".skus)') != t ]] || return 0
    file=$root/Fixtures/catalog.ndjson
  fi
  if grep -q 'InvoiceNo,StockCode,' < <(zcat -f -- "$file" 2>/dev/null | head -n 1); then
    format=(--format online-retail)
  fi
  run "$state/bin/cartctl" catalog import "${format[@]}" "$file" || die "cannot load the catalogue $file"
}

# The page at / lists what the catalogue holds at this moment; ten thousand products are enough to look at.
write_page() {
  local www=$state/web/www
  rm -rf "$www"
  mkdir -m 755 "$www"
  [[ -d $state/web/pages ]] || mkdir -m 755 "$state/web/pages"
  install -m 644 "$root"/nginx/demo/*.{html,css,js,svg} "$www"
  sql >"$www/catalog.json" <<'SQL' || echo '[]' >"$www/catalog.json"
SELECT coalesce(json_agg(json_strip_nulls(to_json(product))), '[]') FROM (
  SELECT sku, merchant_id AS "merchantId", name, picture, unit_price AS "unitPrice", currency, stock,
    purchase_limit AS "purchaseLimit", customer_limit AS "customerLimit", minimum_quantity AS "minimumQuantity",
    quantity_step AS "quantityStep", available_from AS "availableFrom", available_until AS "availableUntil"
  FROM :"schema".skus WHERE active ORDER BY merchant_id, name, sku LIMIT 10000) AS product;
SQL
  chmod 644 "$www/catalog.json"
}

# cartd keeps the user of this script: as root it reads a secret and replaces its workers from a binary below
# directories that no other account can enter.
start_cartd() {
  identity=()
  # The socket is for cartd's user and, by the directory's group, for nginx.
  umask 007
  start cartd TERM "$state/web" "$state/bin/cartd"
  umask 077
  await 30 cartd test -S "$state/web/cartd.sock"
  [[ -s $state/cartd.pid ]] || echo "${pids[cartd]}" >"$state/cartd.pid"
}

start_nginx() {
  local user=''
  # Another process may have taken the port during the build; its answers would pass for ours.
  need_port
  ((EUID != 0)) || user='user www-data;'
  identity=()
  ln -sfn -- "$root/nginx" "$state/web/snippets"
  sed "s/@USER@/$user/; s/@PORT@/$port/" "$root/nginx/demo/nginx.conf.template" >"$state/web/nginx.conf"
  start nginx TERM "$state/web" nginx -e ../log/nginx-error.log -p ./ -c nginx.conf
  await 60 nginx answers /v1/cart
}

# answers PATH: whether nginx on our port says 200 to it.
answers() (
  exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" "$port" >&3
  read -r -t 5 _ status _ <&3 && [[ ${status%$'\r'} == 200 ]]
)

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

need_port() { ! port_is_taken || die "port $port is taken; choose another with --port"; }

# stop NAME SIGNAL SECONDS LAST-SIGNAL: waits for the server to end; when time is up, or at a second Ctrl-C, it gets
# the last signal, and what is left of its process group is killed.
stop() {
  local name=$1 with=$2 seconds=$3 last=$4 pid=${pids[$1]:-} timer
  [[ -n $pid ]] || return 0
  unset "pids[$name]"
  for with in "$with" "$last"; do
    kill -s "$with" "$pid" 2>/dev/null || break
    # A server that is stopped by SIGSTOP would never see it.
    kill -s CONT -- "-$pid" 2>/dev/null || true
    sleep "$seconds" 9>&- &
    timer=$!
    while [[ -z $hurry ]] && kill -0 "$pid" 2>/dev/null && kill -0 "$timer" 2>/dev/null; do
      wait -n "$pid" "$timer" 2>/dev/null || true
    done
    kill "$timer" 2>/dev/null || true
    kill -0 "$pid" 2>/dev/null || break
    say "$name does not end at SIG$with"
    hurry='' seconds=5
  done
  kill -s KILL -- "-$pid" 2>/dev/null || true
}
