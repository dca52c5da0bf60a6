#!/bin/sh
# One rank of HPL or HPC Challenge in a folder of its own: `sh -s TIMES FILE INPUT PROGRAM…`. INPUT is written to FILE, which
# only the first rank reads; what the program leaves in hpccoutf.txt is printed behind its own output. It runs TIMES times.
set -eu
times=$1 file=$2 input=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '%s\n' "$input" > "$file"
while [ "$times" -gt 0 ]; do
  "$@" < /dev/null
  if [ -f hpccoutf.txt ]; then
    cat hpccoutf.txt
    rm hpccoutf.txt
  fi
  times=$((times - 1))
done
