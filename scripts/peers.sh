#!/usr/bin/env bash
# Finds or installs the independent programs that tests run against.
#   peers.sh install   installs what is missing, where this is a Debian machine and we are root
#   peers.sh report    names what is still missing; with MFABRIDGE_FORBID_SKIPS set, fails if anything is
set -euo pipefail
modules="$(dirname "$0")/../fixtures/native"

# program  Debian package; "module:NAME" is a module of the system's Python, "pam:NAME" one of PAM, "path:PATTERN" a file off the path,
# "npm:NAME" a package of the lock file in fixtures/native
peers=(
  "radclient freeradius-utils"
  "freeradius freeradius"
  "eapol_test eapoltest"
  "oathtool oathtool"
  "pskctool pskctool"
  "module:pskc python3-pskc"
  "module:aiosmtpd python3-aiosmtpd"
  "chromium chromium"
  "slapd slapd"
  "path:/usr/lib/postgresql/*/bin/postgres postgresql"
  "curl curl"
  "openssl openssl"
  "zsh zsh"
  "fish fish"
  "tshark tshark"
  "radsecproxy radsecproxy"
  "pamtester pamtester"
  "systemd-analyze systemd"
  "pam:pam_radius_auth.so libpam-radius-auth"
  "path:/usr/lib/*/libpam_wrapper.so libpam-wrapper"
  "npm:@azure/msal-browser npm"
)

# there PROGRAM tells whether a peer is installed
there() {
  case "$1" in
  pam:*) compgen -G "/lib/*/security/${1#pam:}" >/dev/null ;;
  module:*) /usr/bin/python3 -c "import ${1#module:}" >/dev/null 2>&1 ;;
  npm:*) [ -f "$modules/node_modules/${1#npm:}/package.json" ] ;;
  path:*) compgen -G "${1#path:}" >/dev/null || command -v "${1##*/}" >/dev/null 2>&1 ;;
  *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

# fetch installs the npm packages of the lock file, where there is npm
fetch() {
  if ! there npm:@azure/msal-browser && command -v npm >/dev/null 2>&1; then
    (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund --silent) >/dev/null 2>&1 ||
      echo "could not install the npm packages of fixtures/native; tests that need them are skipped"
  fi
}

missing() {
  for peer in "${peers[@]}"; do
    read -r program package <<<"$peer"
    there "$program" || echo "$package"
  done | sort -u
}

case "${1:-}" in
install)
  fetch
  wanted=$(missing)
  [ -n "$wanted" ] || exit 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing: $(echo "$wanted" | tr '\n' ' ')"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # one word a package is meant
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 ||
      echo "could not install them; tests that need them are skipped"
  fi
  fetch
  ;;
report)
  wanted=$(missing)
  if [ -z "$wanted" ]; then
    echo "skipped: nothing; every peer was there"
    exit 0
  fi
  for package in $wanted; do
    echo "skipped: tests against the programs of Debian package $package, which is not installed"
  done
  [ -z "${MFABRIDGE_FORBID_SKIPS:-}" ] || { echo "skips are forbidden"; exit 1; }
  ;;
*)
  echo "usage: peers.sh install|report" >&2
  exit 64
  ;;
esac
