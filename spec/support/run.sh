#!/bin/sh
# Runs all specs through a stock Lua and through build/neap.
#   run.sh BUILD LUA [spec files]
# The last line is 'N passed, N failed'; the exit status says the same.
build=$1 lua=$2
shift 2
[ $# -gt 0 ] || set -- spec
: "${NEAP_BUILD:=$build}"
export NEAP_BUILD NEAP_LUA="$lua"
out=$(mktemp)
trap 'rm -f "$out"' EXIT

status=0
for interpreter in "$(command -v "$lua")" "$PWD/$build/neap"; do
  # a sanitized module needs a sanitized program
  if [ -n "$NEAP_ONLY_PROGRAM" ] && [ "$interpreter" != "$PWD/$build/neap" ]
  then continue; fi
  echo "== specs through $interpreter"
  LUA_PATH="./?.lua;./?/init.lua;;" LUA_CPATH="./$build/?.so;;" \
    busted --lua="$interpreter" --pattern=_spec -o plainTerminal "$@" \
    >"$out.one" 2>&1 || status=1
  cat "$out.one"
  cat "$out.one" >>"$out"
  rm -f "$out.one"
done

awk '/ successes? \/ .* failures? \/ .* errors? \/ / {
       found = 1; passed += $1; failed += $4 + $7 }
     END { if (!found) failed = 1
           printf "%d passed, %d failed\n", passed, failed
           exit failed > 0 }' "$out" || status=1
exit $status
