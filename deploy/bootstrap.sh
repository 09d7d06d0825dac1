#!/usr/bin/env bash
# Installs what the machine lacks for the playground and the tests: nginx, redis-server, prometheus, alertmanager, chromium,
# wrk (for `make bench`), and on Debian a font with Chinese characters (7 MB), without which the browser shows boxes.
# Safe to run again: it does nothing when everything is there. `--quiet` says nothing in that case.
set -euo pipefail

quiet=${1:-}
# program -> Debian package, Homebrew formula ("-": none)
wanted=(
  "nginx nginx nginx"
  "redis-server redis-server redis"
  "prometheus prometheus prometheus"
  "promtool prometheus prometheus"
  "prometheus-alertmanager|alertmanager prometheus-alertmanager alertmanager"
  "amtool prometheus-alertmanager alertmanager"
  "chromium|chromium-browser|google-chrome chromium chromium"
  "wrk wrk wrk"
)

present() { # any of the names, on PATH or in the places where Debian keeps servers
  local name
  for name in ${1//|/ }; do
    command -v "$name" >/dev/null 2>&1 && return 0
    [ -x "/usr/sbin/$name" ] && return 0
  done
  return 1
}

has_chinese() { [ -n "$(fc-list :lang=zh family 2>/dev/null)" ] || [ -e /usr/share/fonts/truetype/wqy/wqy-zenhei.ttc ]; }
may_install() { [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }; }

apt_packages=() brew_packages=() lacking=()
for line in "${wanted[@]}"; do
  read -r programs debian homebrew <<<"$line"
  if ! present "$programs"; then
    lacking+=("${programs%%|*}")
    [[ " ${apt_packages[*]-} " == *" $debian "* ]] || apt_packages+=("$debian")
    [[ " ${brew_packages[*]-} " == *" $homebrew "* ]] || brew_packages+=("$homebrew")
  fi
done
if ! python3 -c 'import ensurepip' 2>/dev/null; then
  lacking+=(python3-venv) apt_packages+=(python3-venv)
fi
# Nothing fails for want of a font: it comes along where it can.
if command -v apt-get >/dev/null 2>&1 && ! has_chinese && may_install; then
  lacking+=("a Chinese font") apt_packages+=(fonts-wqy-zenhei)
fi

if [ ${#lacking[@]} -eq 0 ]; then
  [ "$quiet" = --quiet ] || echo "bootstrap: everything is here"
  exit 0
fi

echo "bootstrap: installing ${lacking[*]}"
if command -v apt-get >/dev/null 2>&1; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if may_install; then as_root=(sudo -n)
    else echo "bootstrap: please run, then try again:  sudo apt-get install -y ${apt_packages[*]}" >&2; exit 1; fi
  fi
  # A package's service must not start here: Ferry starts its own copies and takes them down again.
  # policy-rc.d is Debian's own way to say so; an existing one is left alone.
  made_policy=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${as_root[@]}" chmod 755 /usr/sbin/policy-rc.d
    made_policy=yes
  fi
  forget_policy() { [ -z "$made_policy" ] || "${as_root[@]}" rm -f /usr/sbin/policy-rc.d; }
  trap forget_policy EXIT
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${apt_packages[@]}" >/dev/null
elif command -v brew >/dev/null 2>&1; then
  brew install --quiet "${brew_packages[@]}"
else
  echo "bootstrap: neither apt-get nor brew is here. Please install, by your system's own means: ${lacking[*]}" >&2
  exit 1
fi

for line in "${wanted[@]}"; do
  read -r programs _ _ <<<"$line"
  present "$programs" || { echo "bootstrap: ${programs%%|*} is still missing after the installation" >&2; exit 1; }
done
echo "bootstrap: done"
