#!/bin/sh
# Runs all specs through a stock Lua and through build/neap.
#   run.sh BUILD LUA [spec files]
# The last line is 'N passed, N failed'; the exit status says the same.
build=$1 lua=$2
shift 2
[ $# -gt 0 ] || set -- spec
: "${NEAP_BUILD:=$build}"
export NEAP_BUILD NEAP_LUA="$lua"
# Specs call make: it gets the settings that this one got, not its jobs.
MAKEFLAGS=$(printf '%s' "$MAKEFLAGS" |
            sed 's/ *-j[0-9]*//; s/ *--jobserver-[a-z]*=[^ ]*//g')
export MAKEFLAGS
out=$(mktemp)
trap 'rm -f "$out" "$out".*' EXIT

# run_specs INTERPRETER NUMBER SPECS: output and status into files
run_specs() {
  interpreter=$1 number=$2
  shift 2
  LUA_PATH="./?.lua;./?/init.lua;;" LUA_CPATH="./$build/?.so;;" \
    busted --lua="$interpreter" --pattern=_spec -o plainTerminal "$@" \
    >"$out.$number" 2>&1
  echo $? >"$out.$number.status"
}

# Both at the same time; a sanitized module needs a sanitized program.
status=0
lua_path=$(command -v "$lua") program=$PWD/$build/neap
[ -n "$NEAP_ONLY_PROGRAM" ] || run_specs "$lua_path" 1 "$@" &
run_specs "$program" 2 "$@" &
wait
for number in 1 2; do
  [ -f "$out.$number" ] || continue
  [ $number -eq 1 ] && echo "== specs through $lua_path" ||
    echo "== specs through $program"
  cat "$out.$number"
  cat "$out.$number" >>"$out"
  [ "$(cat "$out.$number.status")" -eq 0 ] || status=1
done

awk '/ success(es)? \/ .* failures? \/ .* errors? \/ / {
       found = 1; passed += $1; failed += $4 + $7 }
     END { if (!found) failed = 1
           printf "%d passed, %d failed\n", passed, failed
           exit failed > 0 }' "$out" || status=1
exit $status
