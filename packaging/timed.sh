#!/bin/sh
# make's shell if MINUTES names a file: runs a line of a recipe, and records there how long it took and for which target.
# usage: timed.sh TARGET -c COMMAND, or timed.sh -c COMMAND for make's own $(shell)
[ "$1" != -c ] || exec /bin/sh "$@"
target=$1
shift
began=$(date +%s)
/bin/sh "$@"
status=$?
echo "$(($(date +%s) - began)) $target" >>"$MINUTES"
exit "$status"
