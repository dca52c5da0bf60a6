#!/bin/sh
# Brings the scheduler's state along when its folder is another one than before: a controller that becomes one of a pair, or
# the one that is left of it. slurmctld without its state would end every running job.
# usage: slurm-state FOLDER FORMER…       The folder with the newest state wins; what is copied keeps its time.
set -eu
here=$1
shift
for former in "$@"; do
    found=$former/job_state
    [ -e "$found" ] || continue
    if [ -e "$here/job_state" ] && [ ! "$found" -nt "$here/job_state" ]; then
        continue
    fi
    find "$former" -mindepth 1 -maxdepth 1 ! -name job_state -exec cp -a -t "$here" {} +
    # Last, and under its name only once it is whole: where this is interrupted, the next start does it again.
    cp -a "$found" "$here/job_state.arriving"
    mv "$here/job_state.arriving" "$here/job_state"
done
