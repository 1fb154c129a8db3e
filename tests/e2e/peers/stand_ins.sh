# What the guide's test puts in the place of programs that need a cloud, a daemon or minutes: each checks what it is told against
# the files it would use, and refuses anything else. $ROOT is the repository; statuses go to file descriptor 3.

refuse() {
  echo "stand-in: $*" >&2
  return 1
}

# The server runs already: that it is called so is all there is to see.
cargo() {
  [ "$*" = "run --release -p callie-server --bin callie -- serve" ] || refuse "cargo $*"
  grep -q '^name = "callie-server"$' "$ROOT/crates/server/Cargo.toml" || refuse "there is no package callie-server"
  grep -A1 '^\[\[bin\]\]$' "$ROOT/crates/server/Cargo.toml" | grep -q '^name = "callie"$' || refuse "there is no program callie"
}

# The service must be one of docker-compose.yml; a command inside it is run here.
docker-compose() {
  local what=$1 service=
  shift
  case "$what" in
    up) [ "$*" = "-d" ] || refuse "docker-compose up $*" ;;
    logs) [ "$1" = "-f" ] && service=$2 ;;
    restart | stop | exec) service=$1 ;;
    *) refuse "docker-compose $what" ;;
  esac
  [ -z "$service" ] || grep -q "^  $service:\$" "$ROOT/docker-compose.yml" || refuse "no service $service"
  if [ "$what" = exec ]; then
    [ "$2" = callie ] || refuse "docker-compose exec $*"
    run_callie "${@:3}"
  fi
}

# The configuration and the files that it names must be there, and be what they should be.
firebase() {
  local what=$1 config=
  [[ " $* " == *" --project "* ]] || refuse "firebase $* names no project"
  [[ "$*" =~ --config\ ([^ ]+) ]] && config="$ROOT/${BASH_REMATCH[1]}"
  case "$what" in
    deploy)
      jq -e '.indexes | type == "array"' "$(dirname "$config")/$(jq -er .firestore.indexes "$config")" >&2
      grep -q '^service cloud.firestore {$' "$(dirname "$config")/$(jq -er .firestore.rules "$config")"
      ;;
    emulators:start) jq -e '.emulators.firestore.port' "$config" >&2 ;;
    *) refuse "firebase $what" ;;
  esac
}

curl() {
  command curl -sS -o /dev/stderr -w '%{http_code}\n' "$@" >&3
}

# The program itself, but for two: a server that would run for ever is asked whether its configuration is right, and the demo has
# a test of its own.
eval "run_$(declare -f callie)"
callie() {
  case "$*" in
    serve) run_callie config check ;;
    "demo --firestore") grep -q '"--firestore"' "$ROOT/tests/e2e/tests/demo.rs" ;;
    *) run_callie "$@" ;;
  esac
  echo $? >&3
}
