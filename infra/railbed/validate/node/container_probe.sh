#!/bin/sh
# What a container of a job is, from within, as one line of JSON; ends with STATUS. Needs sh, id, grep, tail and tr.
# usage: container_probe.sh STATUS
set -u
gpus=$(nvidia-smi -L </dev/null 2>/dev/null | grep -c '^GPU ')
uid=$(id -u)
outside=-1
# user_namespaces(7): the first identity inside, the one that it is outside, and how many follow.
while read -r inside first count; do
    if [ "$uid" -ge "$inside" ] && [ "$uid" -lt $((inside + count)) ]; then
        outside=$((first + uid - inside))
    fi
done </proc/self/uid_map
torch=absent
torch_gpus=0
has='import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'
counts='import torch; print(torch.__version__); print(torch.cuda.device_count())'
if python3 -c "$has" </dev/null 2>/dev/null; then
    if said=$(python3 -c "$counts" </dev/null 2>&1); then
        torch=$(printf '%s\n' "$said" | tail -n 2 | grep -m 1 . | tr -cd 'A-Za-z0-9.+')
        torch_gpus=$(printf '%s\n' "$said" | tail -n 1 | tr -cd 0-9)
    else
        torch=$(printf '%s\n' "$said" | tail -n 1 | tr -cd 'A-Za-z0-9 .,:_/+-')
        torch_gpus=-1
    fi
fi
printf '{"node": "%s", "gpus": %d, "outside": %d, "torch": "%s", "torch_gpus": %d}\n' \
    "${SLURMD_NODENAME:-}" "$gpus" "$outside" "$torch" "${torch_gpus:-0}"
exit "$1"
