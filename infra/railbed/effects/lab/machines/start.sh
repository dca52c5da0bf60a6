#!/bin/sh
# Runs a command in a network namespace and in cgroups of its own, by which whoever comes later finds its processes.
# usage: start.sh NAMESPACE CGROUP... -- COMMAND...
set -eu
namespace=$1
shift
while [ "$1" != -- ]; do
  mkdir -p "$1"
  echo $$ > "$1/cgroup.procs"
  shift
done
shift
exec ip netns exec "$namespace" "$@"
