#!/bin/sh
# Installs what building and testing need, where it is missing.
#   deps.sh BLAS ZLIB
set -e
blas=$1 zlib=$2

have() { command -v "$1" >/dev/null 2>&1; }
header() { for d in /usr/include /usr/include/*-linux-gnu* \
           /usr/local/include /opt/homebrew/include; do
  [ -e "$d/$1" ] && return 0; done; return 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else
    echo "not root and no sudo: please run '$*' yourself" >&2
    exit 1
  fi
}

missing() {
  have "${CC:-gcc}" && have make && have pkg-config && have lua5.4 &&
  have busted && have luacheck && header lua5.4/lua.h || return 0
  [ "$blas" = none ] || header cblas.h || header openblas/cblas.h || return 0
  [ "$zlib" = none ] || header zlib.h || return 0
  ! have apt-get || have luajit || return 0
  ! have apt-get || [ -d /usr/share/datasets/fashion-mnist ] || return 0
  return 1
}

missing || exit 0
if have apt-get; then
  packages="gcc make pkg-config lua5.4 liblua5.4-dev lua-busted lua-check"
  packages="$packages dataset-fashion-mnist luajit"
  [ "$blas" = none ] || packages="$packages libopenblas-dev"
  [ "$zlib" = none ] || packages="$packages zlib1g-dev"
  as_root apt-get update -qq
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages
elif have dnf; then
  as_root dnf install -y gcc make pkgconf lua lua-devel luarocks \
    openblas-devel zlib-devel
elif have pacman; then
  as_root pacman -S --needed --noconfirm gcc make pkgconf lua54 luarocks \
    openblas zlib
elif have brew; then
  brew install lua@5.4 luarocks openblas pkg-config
else
  echo "no known package manager: please install a C compiler, make," \
       "pkg-config, Lua 5.4 with headers, busted, OpenBLAS, zlib" >&2
  exit 1
fi
