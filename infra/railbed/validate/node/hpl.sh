#!/bin/sh
# One rank of HPL or HPC Challenge in a folder of its own: `sh -s FILE INPUT PROGRAM…`. INPUT is written to FILE, which only the
# first rank reads; what the program leaves in hpccoutf.txt is printed behind its own output.
set -eu
file=$1 input=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '%s\n' "$input" > "$file"
"$@" < /dev/null
if [ -f hpccoutf.txt ]; then
  cat hpccoutf.txt
fi
