#!/bin/sh
# Boots one lab host in cgroups and a network namespace of its own, detached from the caller.
# usage: boot.sh NAME ROOT PIDFILE LOG CGROUP... -- NSPAWN-OPTION...
# Without a cgroup of its own every host's systemd would share the caller's and they would manage each other's units.
set -eu

# Boots again for as long as the host asks for it: nspawn then ends with 133. A shutdown that is asked of this
# process is asked of the host.
if [ "$1" = --host ]; then
  shift
  status=133
  while [ "$status" -eq 133 ]; do
    "$@" &
    host=$! status=0
    trap 'kill -TERM "$host"' TERM
    wait "$host" || status=$?
    while kill -0 "$host" 2> /dev/null; do  # the signal ended the wait, not the host
      status=0
      wait "$host" || status=$?
    done
  done
  exit "$status"
fi

name=$1 root=$2 pidfile=$3 log=$4
shift 4
(
  while [ "$1" != -- ]; do
    mkdir -p "$1"
    echo 0 > "$1/cgroup.procs"  # 0 is the writer itself (cgroups(7)); a parent's number may be init's once the parent is killed
    shift
  done
  shift
  [ ! -d /sys/fs/cgroup/systemd ] || export SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
  export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
  exec setsid sh "$0" --host systemd-nspawn --quiet --keep-unit --register=no --directory="$root" --machine="$name" \
    --network-namespace-path="/run/netns/$name" --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
    --capability=CAP_NET_ADMIN,CAP_SYS_NICE,CAP_IPC_LOCK,CAP_SYS_RESOURCE --bind=/dev/fuse "$@" --boot
) < /dev/null > "$log" 2>&1 &
echo $! > "$pidfile"
