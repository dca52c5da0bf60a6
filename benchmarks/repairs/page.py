"""The page's words; figures are put in by ``__main__``."""

TEMPLATE = """\
# Simulation of repairs

<!-- Written by benchmarks/repairs: `PYTHONPATH=. .venv/bin/python -m benchmarks.repairs`; change that, then run it. -->

A job of 128 nodes (1,024 GPUs) over 75 days, {seeds} times with other seeds, once with railbed and once with people who reboot a
node and hope. railbed's side runs the product's own code over a simulated clock: the life of a node, the guards, the circuit
breaker, the limit on drains, the ladder with its budgets. Slurm, nodes and people are models; whatever would disturb a node under
a job, and each step after which the life of a node and the records say different things, ends the simulation with an error.
**It is a simulation: nothing here was measured on a cluster.**

## What goes in

| | | from |
|---|---|---|
| how often the job is stopped | 2.34, 3.79 or 6.50 per 1,000 node-days | [long jobs](long-job.md): low, central, high |
| by what | 419 interruptions by root cause | Llama 3, arXiv 2407.21783, table 5 |
| faults of a node that need a part | 68 % | Crusoe H200 at GTC25: 41.5 % replaced a host, 19.5 % were recoverable GPUs |
| until a part is there | 7 days; a cable 1 day | declared ([long jobs](long-job.md)) |
| checkpoints, detection, restart | as `railbed job plan --gpus 1024 --days 75` | [long jobs](long-job.md) |
| a broken part shows right after a boot | 50 % | declared: nobody published it |
| of the others, a validation finds | 80 % | declared; varied below |
| a part that is still broken stops the job again | after 6 h of run time in the mean | declared |
| of failures of switch and cable, a leaf | 10 % | declared; a leaf has 32 nodes and is replaced after 4 h |
| people, evidence, roles, validation, boot | 15, 2, 5, 20, 10 to 12 min | declared; the same for both |

To be kind to reboots: they go through the BMC and end every fault that needs no part; a fault that shows afterwards is seen at
once; after the third reboot the node gets its part; as many spares stand by; nobody starts a job on a leaf that is down.
Not in it: `railbed node settle`, slow nodes, faults while a job starts, filesystems.

## What comes out

Mean (5th to 95th percentile of the goodput), {auto} spares. Goodput is work kept in a checkpoint, as a share of the 75 days.

| rate | | goodput | stops | of them again | without a node | parts | boots |
|---|---|---|---|---|---|---|---|
{rows}

**Again** are stops by a part that had stopped the job before: what a validation after the repair saves, and most of the
difference. No job was ended by railbed in any of them.

![Goodput by spare nodes, with railbed and with reboots](simulation-spares.svg)

![Goodput by the share of hidden faults that a validation finds](simulation-found.svg)

## Defaults

**Spares.** `spares: auto` gives {auto} for 128 nodes. With railbed at the central rate:

| spares | goodput | job waited for a node | in how many jobs |
|---|---|---|---|
{waits}

A leaf that fails takes more nodes than any number of spares: {leaves} leaves did in these {seeds} jobs, and the job waited until
the leaf was there again.

**Repairs of a node.** How many may begin within a week (guard `flapping`), before a person has to look and a part is ordered:

| repairs | goodput | stops again | parts |
|---|---|---|---|
{limits}

Each further repair gives a broken part that no check sees another chance to stop the job. Three is the default: two lose a
little less here, and leave no room for a repair that broke off.

**Circuit breaker.** It opens when more than 3 nodes have one fault at once, or 10 % of a pool (here 14 nodes) fail repairs within
an hour. At the high rate and without leaves, so of faults that have nothing to do with each other, at most {same_fault} nodes had
one fault at once and {failed_hour} failed within an hour in any of the jobs, and it opened {by_chance} times. In the
{seeds} jobs at the central rate {leaves} leaves failed and it opened {opened} times; without it 32 nodes would have been booted
for a switch. Openings are counted in the journal, as `railbed node summary` does.

**Repairs in an hour.** 10 % of a pool may begin (here 14); of independent faults at most {repairs_hour} did.
"""
