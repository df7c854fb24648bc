#!/bin/sh
# `npm test`: brings what is missing, builds, then runs every check that this machine can. Works with any Node that runs npm.
set -eu
cd -- "$(dirname -- "$0")/.."
root=$(pwd -P)
say() { printf '%s\n' "test: $*"; }

# The lock that ./steward takes too, so that an install or a build is never done twice at once.
lock=$root/.lock
waited=0
until mkdir "$lock" 2>/dev/null; do
  owner=$(cat "$lock/pid" 2>/dev/null || true)
  if [ "$waited" -ge 5 ] && { [ -z "$owner" ] || ! kill -0 "$owner" 2>/dev/null; }; then
    rm -rf "$lock"
    continue
  fi
  [ "$waited" -lt 600 ] || { say "another start (process ${owner:-unknown}) has held $lock for 10 minutes; remove it when nothing is installing"; exit 1; }
  sleep 1
  waited=$((waited + 1))
done
printf '%s\n' "$$" >"$lock/pid"
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

installed() {
  [ -f node_modules/.package-lock.json ] && [ -d node_modules/typescript ] && [ -d node_modules/oxlint ] || return 1
  cmp -s package-lock.json node_modules/.steward-lock && return 0
  [ -z "$(find package-lock.json -newer node_modules/.package-lock.json)" ]
}
if ! installed; then
  [ ! -L node_modules ] || { say "node_modules is a link to what is not up to date; remove the link and run this again"; exit 1; } # npm would empty what it leads to
  say "installing dependencies (npm ci)"
  : >.dev # the launcher keeps the development packages from now on
  npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.steward-lock
fi

node=$root/node_modules/.bin/node
if [ ! -x "$node" ]; then node=$(command -v node); fi
"$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 24 || (a === 24 && b >= 12) ? 0 : 1)' || {
  say "Node.js 24.12 or newer is needed, and npm brought none for this system; $node is older"
  exit 1
}
# What tests start as `node` is this one as well.
PATH=$root/node_modules/.bin:$PATH
export PATH

have() {
  for name in "$@"; do
    if command -v "$name" >/dev/null 2>&1; then return 0; fi
  done
  return 1
}
missing=''
skipped=''
want() {
  package=$1
  what=$2
  shift 2
  if have "$@"; then return 0; fi
  missing="$missing $package"
  skipped="$skipped
  without $package: $what"
}
if [ "$(uname)" = Linux ]; then
  want chromium "tests of the page" chromium chromium-browser google-chrome google-chrome-stable
  if ! /usr/bin/python3 -c 'import websockets' 2>/dev/null; then want python3-websockets "tests of OS-Agent's Python clients" nothing-of-this-name; fi
  want bubblewrap "tests of the sandbox" bwrap
  if [ "$(id -u)" -eq 0 ]; then
    want docker.io "tests of computers in containers (they fail then)" dockerd
    want iptables "tests of computers in containers (they fail then)" iptables
    want openssl "tests of engines over TLS" openssl
    want dovecot-imapd "tests of e-mail" dovecot
    want postfix "tests of e-mail" postfix
  fi
  want ripgrep "searching with ripgrep" rg
  want xvfb "tests of applications" Xvfb
  want openbox "tests of applications" openbox
  want wmctrl "tests of applications" wmctrl
  want xdotool "tests of applications" xdotool
  want xterm "tests of applications" xterm
  if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then want postgresql "tests of several nodes on Postgres" postgres; fi
fi
sudo=none
if [ "$(id -u)" -eq 0 ]; then sudo=''; elif have sudo && sudo -n true 2>/dev/null; then sudo='sudo -n'; fi
if [ -n "$missing" ]; then
  if [ "$sudo" != none ] && have apt-get; then
    say "installing what tests can use:$missing"
    # The tests bring a configuration of their own: postfix is not to be a mail server of this machine.
    case $missing in *postfix*) echo "postfix postfix/main_mailer_type select No configuration" | $sudo debconf-set-selections || true ;; esac
    # Package by package: one that cannot be had does not stop the others.
    $sudo apt-get -o DPkg::Lock::Timeout=300 update -qq >/dev/null 2>&1 || say "the package lists could not be renewed"
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
      for package in $missing; do
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
          say "$package could not be installed; what needs it is skipped"
      done
  else
    say "not installed here, so these are skipped:$skipped"
  fi
fi

if ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && [ "$sudo" != none ] && have apt-get; then
  $sudo sh scripts/pgvector.sh || say "no pgvector: tests of what processes share of their search index are skipped (with CI they fail)"
fi

say "building"
failed=0
"$node" scripts/build.ts || failed=1
[ -d dist ] || mkdir dist
case $node in
  "$root"/*) printf '%s\n' "${node#"$root"/}" >dist/.node ;;
  *) printf '%s\n' "$node" >dist/.node ;;
esac
rm -rf "$lock"
trap - EXIT INT TERM HUP

# What was read and stripped once is kept for all processes of this run: by far the most time of a small test file is that. A build throws it away.
NODE_COMPILE_CACHE=$root/dist/cache
export NODE_COMPILE_CACHE
# Commands run as they are shipped, where they could be built.
if [ "$failed" -eq 0 ]; then
  STEWARD_TEST_MAIN=$root/dist/main.js
  export STEWARD_TEST_MAIN
fi

"$node" scripts/check.ts --still || failed=1
"$node" scripts/suite.ts || failed=1
[ "$failed" -eq 0 ] || say "some checks failed"
exit "$failed"
