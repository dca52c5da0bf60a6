#!/bin/sh
# SIMULATED: @PACKAGE@ is a stand-in of the railbed lab and contains nothing of the vendor's.
# DPKG_ROOT is dpkg's own: the folder that the package is installed below.
set -e
package='@PACKAGE@'
root=${DPKG_ROOT:-}
marks=$root/usr/lib/railbed-sim
now=$root/run/railbed-sim

# First line of a file; nothing where there is none.
first() {
  [ ! -r "$1" ] || head -n 1 "$1"
}

# What this package was made to do. The node's own switch goes before the one that the repository was built with.
made_to() {
  if [ -r "$root/var/lib/railbed-sim/packages/$package" ]; then
    first "$root/var/lib/railbed-sim/packages/$package"
  else
    echo '@SWITCH@'
  fi
}

fail_if_made_to() {
  if [ "$(made_to)" = fail ]; then
    echo "$package: this stand-in was made to fail here" >&2
    exit 1
  fi
}

needs_reboot() {
  mkdir -p "$root/run"
  echo '*** System restart required ***' > "$root/run/reboot-required"
  grep -qsxF "$package" "$root/run/reboot-required.pkgs" || echo "$package" >> "$root/run/reboot-required.pkgs"
}

