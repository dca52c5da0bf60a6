#!/bin/sh
# Runs the LLDP daemon of one leaf switch, the image's lldpd, detached from the caller.
# usage: switch.sh GROUP NAME FABRIC ROOT PIDFILE LOG PATTERN INTERVAL CGROUP...
# GROUP is what the process is known by.
# Each has a tree of mounts, a host name and processes of its own, so that the switches of a lab do not share a socket, and the
# end of the first process is the end of all.
set -eu

if [ "$1" = --inside ]; then
  name=$3 root=$4 pattern=$5 interval=$6
  hostname "$name"
  mount -t tmpfs -o mode=755 "$name" "$root/run"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --bind /dev "$root/dev"
  mkdir "$root/run/lldpd"
  {
    echo "configure system hostname $name"
    # Its own, or hearers take all leaves for one: the daemon would take the address of any interface of the namespace.
    echo "configure system chassisid $name"
    echo "configure system interface pattern $pattern"
    echo "configure lldp portidsubtype ifname"
    echo "configure lldp tx-interval $interval"
  } > "$root/run/switch.conf"
  exec chroot "$root" /usr/sbin/lldpd -d -O /run/switch.conf
fi

group=$1 name=$2 fabric=$3 root=$4 pidfile=$5 log=$6 pattern=$7 interval=$8
shift 8
(
  for cgroup; do
    mkdir -p "$cgroup"
    echo 0 > "$cgroup/cgroup.procs"  # the writer itself, see boot.sh
  done
  exec setsid ip netns exec "$fabric" unshare --mount --uts --pid --fork --kill-child --propagation private \
    sh "$0" --inside "$group" "$name" "$root" "$pattern" "$interval"
) < /dev/null > "$log" 2>&1 &
echo $! > "$pidfile"
