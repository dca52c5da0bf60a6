"""Every timeout, retry, tolerance and path of railbed that is not a fact of the hardware (those are in the catalogue)."""

from __future__ import annotations

# --- names -----------------------------------------------------------------------------------------------------
NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
"""A label of RFC 1123 in lower case: what names of hosts, of resources and of folders may all be."""
NAME_MAX = 63
BOOT_PARAMETER = r"^[A-Za-z][A-Za-z0-9_.-]*(=[A-Za-z0-9_.,:@+-]+)?$"
"""One word of the kernel's command line, as a shell leaves it alone (docs.kernel.org, admin-guide/kernel-parameters)."""

# --- processes -------------------------------------------------------------------------------------------------
COMMAND_TIMEOUT_S = 120.0
OUTPUT_BYTES = 64 * 1024 * 1024
"""So much of each of a program's streams is kept: its beginning and its end. No list that railbed reads is longer."""
NODE_OUTPUT_BYTES = 2 * 1024 * 1024
"""The same of what a node prints: 512 nodes that print without end must fit into memory together."""
DOWNLOAD_TIMEOUT_S = 900.0
PUBLISHED_KEY_AGE_S = 30 * 86_400.0
"""Age at which a publisher's signing key is fetched again: vendors add a subkey about once a year."""
HTTP_TIMEOUT_S = 60.0
"""Longest silence of a server while a file is fetched."""
PYPI_URL = "https://pypi.org/pypi"
"""PyPI's JSON of a package and version is below it."""
PYPI_JSON_BYTES = 16 * 2**20
RELEASE_CHECK_MIB = 64
"""Files of a release up to this size are fetched when it is checked; larger ones only where that is asked for."""
RELEASE_CHECK_WORKERS = 8
NODE_REPOSITORY = "/opt/railbed/repository"
"""Folder on nodes that the cluster's own repository of packages is carried to."""
ARCHIVE_BYTES_MAX = 16 * 1024**3
ARCHIVE_MEMBERS_MAX = 100_000
"""Of an installer's archive, unpacked: the largest that releases name have about 2 GB in a few thousand members."""
BUILD_TIMEOUT_S = 1800.0
SSH_CONNECT_TIMEOUT_S = 10
SSH_PERSIST_S = 120
"""How long a shared SSH connection stays without a session: longer than the pauses between the steps of a run."""
SSH_CLOSE_TIMEOUT_S = 10.0
"""A master that is asked to end answers at once, or not at all."""
UNIX_SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket: 108 bytes with the final NUL (unix(7))."""
SESSION_LINE_BYTES = 4 * 1024 * 1024
"""Longest line of a process that is asked step by step: one node's iperf3 documents of a round take about 200 KB."""
SESSION_LINES = 16
"""Lines of it that wait to be read; it is held up when there are more."""
SESSION_CLOSE_S = 5.0
"""How long such a process may take to end after its input is closed."""
SSH_FANOUT = 64
"""Maximum concurrent SSH sessions; each client takes some megabytes of memory."""
HOST_BOOT_TIMEOUT_S = 180.0
"""A lab's host answers within seconds on a quiet machine; at 25 times the load two of six took over 60 s (measured)."""
HOST_STOP_TIMEOUT_S = 30.0
MACHINE_BOOT_TIMEOUT_S = 900.0
"""A virtual machine without KVM: 34-41 s with a core to itself, 105-170 s at ten times the load (measured)."""
MACHINE_STOP_TIMEOUT_S = 60.0
SECRETS_WAIT_S = 60.0
"""How long a command waits for another one that makes the stack's secrets: making them takes less than a second."""
LOCK_POLL_S = 0.5
"""How often a waiting step looks again."""

# --- engine ----------------------------------------------------------------------------------------------------
PULUMI_VERSION = "3.259.0"
"""Built from tools/go.mod where no official engine of ``PULUMI_MIN`` ≤ version < ``PULUMI_MAX_MAJOR`` is on PATH."""
PULUMI_MIN = (3, 259, 0)
PULUMI_MAX_MAJOR = 4
GO_MIN = (1, 26)
ENGINE_TIMEOUT_S = 300.0
"""One read or write of the whole state, also in an object store far away."""

KEPT_STATES = 10
"""Backups of the state that railbed makes by itself: about two weeks of an operator who changes a stack each working day."""

# --- machine that runs the lab ---------------------------------------------------------------------------------
FREE_DISK_GBYTES = 20
LAB_HOST_MEMORY_MIB = 900
"""Memory planned per lab host, torch rank included (measured: up to 770 MiB a rank, 120-170 MB of daemons)."""
MACHINE_MEMORY_MIB = 1024
"""Memory of a virtual machine of the lab."""
MACHINE_OVERHEAD_MIB = 300
"""QEMU's own beside it, its buffer of translated code included (measured: 380-610 MiB at 512 MiB of guest memory)."""

# --- configure -------------------------------------------------------------------------------------------------
CONVERGE_SILENCE_S = 2400
"""Idle timeout of a playbook. Must exceed the longest task, a boot that tests memory and cards. A run as a whole has no limit."""
FORKS = 16
KEPT_RUNS = 20
"""Runs whose logs stay on disk."""
MAX_SHRINK_FRACTION = 0.2
"""A contract that lost a larger share of its nodes than this since the last converge is refused."""

OBSERVE_TIMEOUT_S = 120.0
"""A look takes a quarter of a second; nvidia-smi may take five where it loads the driver first, and connecting ten. Where the
processor is emulated, one took 45 s."""
MAX_OBSERVED_BYTES = 64 * 1024 * 1024
"""What is kept of a node is about 1 KB; of tens of thousands it is still read whole."""

# --- scheduler -------------------------------------------------------------------------------------------------
PARTITION = "batch"
HOSTLIST_MAX = 65_536
"""Names that a host list of Slurm may stand for: far more than a cluster has, few enough to hold."""
HOSTLIST_NAME_MAX = 256
"""Characters of one of them: host names have up to 253."""
CONTROLLER_PAIR_NODES = 64
"""Nodes, spares included, from which Slurm gets a second controller: no job starts or ends while the only one is away, and
with 64 nodes of eight that holds 512 GPUs up. Below, a pair costs more care (shared state) than it saves."""
SCHEDULED_MEMORY_SHARE = 0.95
"""Of a machine's nominal memory; Linux reports less, and a node that registers with less than RealMemory takes no jobs. AWS
ParallelCluster's share (docs.aws.amazon.com/parallelcluster, SchedulableMemory: 95 % of the type's memory)."""
ACCEPTANCE_RESERVATION = "railbed-acceptance"
"""Holds the nodes that never passed a full validation."""

# --- operate ---------------------------------------------------------------------------------------------------
DRAIN_POLL_S = 2.0
DRAIN_TIMEOUT_S = 3600.0
"""How long a repair waits for a running job; afterwards it gives up and leaves the node draining."""

LOSS_TIMEOUT_S = 10.0
"""How long a destroy waits for what the scheduler, or a node, says of jobs and data; afterwards that is not known. Short, so
that a cluster which is down can be destroyed; one connection may take ``SSH_CONNECT_TIMEOUT_S``."""
UPGRADE_WAIT_S = 3600.0
"""How long a wave of an upgrade waits for running jobs; afterwards it stops, and its busy nodes stay draining."""
UPGRADE_WAVE_FRACTION = 0.25
"""At most this share of the nodes, and of each pool, leaves service at once."""

# --- automatic drains, and how they end (docs/reference/health.md) ----------------------------------------------
DRAIN_WINDOW_S = 3600.0
DRAIN_WINDOW_SHARE = 0.02
"""Of a pool, what nodes may drain by themselves within the window, at least one node. Published clusters lose at most 6.5 of
1,000 nodes a day (arXiv 2410.21680): more in an hour is one cause and not many faults, and a person has to look."""
DRAIN_BREAKER_SHARE = 0.1
DRAIN_BREAKER_LEAST = 2
"""Of a pool, what nodes may hold drained by themselves at all: spares are planned at 5 to 10 %, so beyond that the job stops."""
DRAIN_ALL_SHARE = UPGRADE_WAVE_FRACTION
"""Of a pool, what all automatic drains may hold together: health check, repair, upgrade, quarantine."""
DRAIN_SPREAD_S = 4.0
"""Nodes that see a fault at the same moment ask the scheduler within this time: its answer, 50 ms old, is then mostly true."""
DRAIN_SETTLE_S = 2.0
"""From a drain to the second look at the limit. More than the second in which Slurm keeps times: none earlier is to come."""
HEALTH_CONFIRM_S = 15.0
"""How long a fault must last: a link that trains, or a driver that is being loaded, is none."""
HEALTH_RETURN_PASSES = 3
"""Clean looks in a row before a node gives itself back: at 30 s each it was well for a minute."""
HEALTH_RETURNS = 3
HEALTH_RETURNS_WINDOW_S = 86_400.0
"""A node that came back so often within the window stays drained the next time: a fault that comes and goes is worse for a job
of weeks than one node less."""

# --- guards of what railbed does to nodes (docs/reference/safety.md#guards); the numbers are proposals of this project ---------
REPAIRS_WINDOW_S = 604_800.0
REPAIRS_PER_NODE = 5
"""Repairs of one node within the window (a week): beyond them the next would not help either: a part has to be replaced."""
REPAIRS_HOUR_S = 3600.0
REPAIRS_PER_NODE_HOUR = 2
REPAIRS_PER_POOL_HOUR_SHARE = 0.1
REPAIRS_PER_POOL_HOUR_LEAST = 4
"""Of a pool, repairs that begin within an hour: many at once are one cause, or a storm on power and storage."""
BREAKER_WINDOW_S = 3600.0
BREAKER_QUARANTINES_SHARE = 0.1
BREAKER_QUARANTINES_LEAST = 3
"""Of a pool, nodes that were quarantined within the window; with so many the breaker is open until a person resets it."""
BREAKER_SAME_CODE = 3
"""Nodes with the same fault at once; more than that are one cause."""
SETTLES_PER_DAY = 3
"""Tries, and returns, of `railbed node settle` for one node within a day: what comes and goes needs a person."""
SETTLE_BUDGET_S = 1200.0
"""After this no further node begins in one run of `railbed node settle`: it holds the stack's lock, and drift comes every hour. A
third of that leaves room for the node that has begun; the next run goes on with the others."""
CLOCK_SLACK_S = 300.0
"""How far ahead a time of the journal may be and still counts as now: the operators' machines differ. One further ahead is of a
clock that was wrong, and says nothing: it would else hold every action back until that time has come."""
DAY_S = 86_400.0

# --- what a node prints ----------------------------------------------------------------------------------------
REPLY_MAX_BYTES = 1024 * 1024
"""Largest JSON document that is read from a node; the on-node suite's is some KiB."""
REPLY_MAX_WHOLE = 2**63 - 1
"""Largest whole number in it: byte counters of the kernel are smaller, and it has a floating point."""
SHOWN_CHARACTERS = 500
"""So much of one sentence or value of a node is shown; the whole of it is in the evidence."""
REASON_CHARACTERS = 4000
"""Longest reason of a verdict, which may name many nodes."""

# --- validate --------------------------------------------------------------------------------------------------
NODE_CHECK_TIMEOUT_S = 60
LLDP_HEARD_S = 35.0
"""A switch speaks every 30 s (IEEE 802.1AB-2016, 9.2.5.7: msgTxInterval): so long a rail may have heard nothing since its link
came up."""
LLDP_PAUSE_S = 2.0
"""Between two looks at who is heard."""
IBNETDISCOVER_TIMEOUT_S = 120.0
"""Of one subnet; its sweep asks every port of every switch."""
OPTICS_CARD_S = 20.0
"""For the firmware of one card to tell its link, module and counters."""
OPTICS_NODE_S = 45.0
"""For all cards of a node, which are asked at once."""
PRE_FEC_BER = 2.4e-4
"""Bit error ratio that a link under RS(544,514) must stay below before the error correction (IEEE Std 802.3-2022, 124.1.1, of
400GBASE-DR4, and the same of the other physical layers of 50 and 100 Gb/s a lane)."""
FABRIC_OUTPUT_BYTES = 32 * 1024 * 1024
"""What is kept of a topology: about 150 bytes a port, and 65,536 endpoints have 4 ports each."""
DCGM_DEADLINES_S = {1: 120.0, 2: 600.0, 3: 3600.0}
"""Level of `dcgmi diag` → what it may take, at least twice what NVIDIA says that it takes (DCGM Diagnostics, "Run Levels and
Tests": seconds, 2 minutes, 30 minutes)."""
DCGM_PROBE_S = 20.0
"""For the host engine to list the GPUs, or to say what its watches saw."""
DCGM_SLACK_S = 75.0
"""For what comes before and after the diagnosis."""
GPU_FLOOR = {"bf16": 0.5, "fp8": 0.4, "fp64": 0.5, "hbm": 0.6}
"""Of a GPU's published peak, what it must reach. Declared: products are held back by the power limit, more so in FP8; published
healthy copies reach 0.74 to 0.75 (NVIDIA/nccl, issue 1264: eight H100 SXM, 2475 to 2515 of 3350 GB/s) and 0.867
(aigatech/vpbenchmarking, eight H100). It finds a GPU that is far off; comparing finds others."""
PEER_FLOOR = 0.6
"""Of NVLink's rate in one direction, what a copy between two GPUs must reach. Declared: eight healthy H100 copy 380 of 450 GB/s
(NVIDIA/nccl, issue 1264, p2pBandwidthLatencyTest), and Azure takes ND H100 v5 into service from 335 on
(Azure/azurehpc-health-checks, conf/nd96isr_h100_v5.conf). Over PCIe instead of NVLink it is 64 GB/s at most."""
GPU_BOUND = 1.1
"""Of the peak, what no GPU exceeds: makers name it at a clock that a cool one may leave behind."""
STAND_IN_TFLOPS, STAND_IN_GBYTES_PER_S = 1e-4, 0.01
"""What a processor in a GPU's place must reach: it shows that the program computed, and nothing of speed."""
STAND_IN_ALL_REDUCE_BYTES = 256 * 1024
"""Message of all_reduce inside a node of stand-ins, which add in memory: more would cost time and tell no more."""
GPU_PROBE_S = {"cuda": 300, "cpu": 60}
"""A probe of all GPUs of a node that takes longer is stuck; expected: a minute, and some seconds."""
NOFILE_MIN = 16384
"""Files that a job step must be able to open: one socket per peer and rail, and the data loaders' own."""
MEMLOCK_MIN_KIB = 8192
"""Memory that a step must be able to lock where no RDMA is used: systemd's own default (systemd-system.conf(5)).
RDMA pins whatever it moves, so there the limit must be off."""
PROCESSORS = {"governor": "performance", "idle_latency_us": 50, "huge_pages": "madvise"}
"""What processors of nodes with GPUs are set to; why, and from where: roles/processors/vars/main.yml."""
ROCE = {"priority": 3, "dscp": 26, "cnp_priority": 6, "cnp_dscp": 48}
"""Classes of RoCE's data and of its congestion notices, as on the leaf switches: Cumulus Linux 5.14, RDMA over Converged
Ethernet, lossless mode (docs.nvidia.com/networking-ethernet-software)."""
READ_REQUEST_BYTES = 4096
"""PCIe read request of a rail's card: the most that there is, which Canonical's certification guide for servers sets for 100 Gb/s
and above ("Network Performance Tuning")."""
TIME_OFFSET_S = 0.05
"""Largest accepted distance of a node's clock from its source; logs of several nodes stay in order."""
COLLECTIVE_TIMEOUT_S, COLLECTIVE_NODES_PER_S = 120, 2
"""How long one start may take, and how many nodes it may have for each further second: processes start, and find each other, one
node after the other at worst."""
COLLECTIVE_TRIES = 3
"""A collective's floor counts as missed when it is missed so many times in a row."""
CURVE_FACTOR, SLOW_LINE_FACTOR = 4, 16
"""From one message size of a collective to the next. All sizes together take a third longer than the largest alone, on the lab's
slow line a sixteenth."""
CURVE_LEAST_BYTES, CURVE_BYTES_PER_RANK = 1024, 64
"""Smallest message of a collective: nccl-tests cut a size to whole elements of 4 B for every rank."""
SEARCH_RUNS, SEARCH_S = 600, 900.0
"""What the search for who is to blame for a slow collective may cost: 512 nodes take 256 pairs in their first round, each pair
that fails runs twice, and later rounds are of suspects only. Pairs run SSH_FANOUT at a time, of some 20 s each."""
SEARCH_WAYS_NODES = 16
"""Of a group of at most so many nodes every pair is tried where no node is to blame: 120 pairs, eight at a time."""
SEARCH_TRIES = 2
"""How often a pair must miss its floor in a row to count."""
STEP_COMMENT = "railbed validate"
"""On every step that a validation starts; no user's job has it."""
NCCL_TESTS_FOLDER = "/opt/railbed/nccl-tests/bin"
"""Where role ``nccl_tests`` has its programs."""
NCCL_LOG_FOLDER = "/var/tmp"  # noqa: S108  nobody can guess the names in it
"""Where NCCL's processes log on a node. A job's /tmp is gone with the job, and not every operator is root."""
NCCL_LOG_BYTES = 192 * 1024
"""How much of each log is read: eight processes fit into what is kept of a node's answer."""
COLLECTIVE_ITERATIONS, COLLECTIVE_WARMUP = 2, 1
STEP_WAIT_S = 15
"""How long the scheduler may take to start a step of ours; afterwards the claim is unproven."""
JOB_NODES = 4
"""Most nodes that the reference job takes."""
JOB_TIMEOUT_S = {"cpu": 60.0, "cuda": 300.0}
"""Submission to end, both runs, by what the ranks compute on. Measured in the lab (cpu); on GPUs a guess, as no run was seen
there: each run loads torch in every rank, sets up CUDA and NCCL, and writes checkpoints of 1.75 GB."""
JOB_POLL_S = 0.5
MANAGEMENT_MBYTES_PER_S = 118.0
"""Payload of TCP over Ethernet of 1 Gb/s: 1448 of 1538 bytes on the wire (IEEE 802.3 with its gap, TCP with time stamps)."""
STORAGE_PROBE_BYTES = 16 * 1024 * 1024
"""One client's file: bounded, so that a probe never fills or burdens a filesystem in use."""
CLIENT_STAT_S = 10.0
"""A filesystem in service answers a `stat -f` within milliseconds; MooseFS's client waits 5 s before it asks its master again."""
STORAGE_TIMEOUT_S = 20.0
"""A full or broken filesystem can block a write for minutes."""
STORAGE_RANDOM_S, STORAGE_RANDOM_BYTES, STORAGE_RANDOM_DEPTH = 1, 4096, 16
"""Each direction of a client's random reads and writes: time, bytes of one, and how many are under way at once."""
STORAGE_FILES = 500
"""Files that each client makes, looks at and deletes: tenths of a second."""
STORAGE_CLEAR_S = 60.0
"""For a client to remove its files: ten times what 500 creates take where a filesystem makes 100 a second."""
OLD_FOLDER_AGE_S = 86_400.0
"""From which on a folder of this stack that nothing changed in is nobody's any more: four times the 6 h after which a validation
of a timer is ended."""
OLD_FOLDERS_MOST = 32
"""So many are removed in one run, within ``OLD_FOLDERS_LIMIT_S``: users wait for the same metadata server."""
OLD_FOLDERS_LIMIT_S = 30.0
STORAGE_PEERS_LEAST = 3
"""Of two clients that differ nobody knows which one is wrong."""
STORAGE_PEER_FLOOR = 0.25
"""Of the median of the other clients. In 7 rounds of 4 MooseFS clients on one computer with 2 cores (fio 3.33, all at once) the
slowest wrote 0.60 and read 0.27 of it: clients that share everything are that unlike for a second."""
STORAGE_ROUNDS = 3
"""Rounds in which a client may show that it is no slower than the others; the second and third only where one was."""
STORAGE_TOGETHER_S = 30.0
"""For which all nodes together write at the rate that was bought: long beside opening, syncing and closing files."""
CHECKPOINT_ROOM = 1.25
"""A checkpoint is tried only where so many of it are free: a filesystem in use must not run full."""
CHECKPOINT_LEAST_S, CHECKPOINT_SLOWEST = 60.0, 5.0
"""A checkpoint that takes longer than its planned time so often, and a minute, is stuck."""
CHECKPOINT_FLOOR = 0.9
"""Of the rate that was bought, what all nodes together must reach with the files of a checkpoint."""
RENDEZVOUS_READY_S = 30.0
"""How long an end of a measurement may take to prepare, its connection included: seconds on a node that is not overloaded."""
RENDEZVOUS_STOP_S = 10.0
"""How long it may take to end."""
OVERLAP_FRACTION = 0.5
"""Flows that shall load the fabric together must all have sent for this share of the measured seconds: starting a
process takes up to a second on a busy node, and what is left of two is enough for a rate."""
CPU_PRESSURE_LIMIT = 0.7
"""Share of a window in which a task waited for a processor. On two processors with nothing else running, a lab's own rails came
to 0.14-0.39, its collectives and job to 0.25-0.61; beside four busy loops all came to 0.87-0.97, but for one window of 0.56 in
which the flows stood still (2026-11-29). Not measured on a real node."""
CPU_BUSY_LIMIT = 0.9
"""Share of processor time that is not idle. In the same runs: 0.22-0.43 and 0.55-0.73; beside the loops 0.995 and more."""
STEAL_LIMIT = 0.25
"""Of a virtual machine's processor time, what its hypervisor may give to others. In the same runs it was 0.05-0.15 on the quiet
machine, where it took nothing from the rails (all within 0.3 %), and 0.001 beside the loops: much of it is the cost of waking
an idle processor."""
CLOCK_STEP_S = 0.05
"""A clock that is set by more while something is measured makes times, and rates, wrong by per cents."""
RAIL_IDLE_S = 0.3
"""How long a rail is watched before its flows start: what it carries then is other traffic."""
OTHER_TRAFFIC_LIMIT = 0.01
"""Of a rail's rate, what others may use: a third of SIBLING_TOLERANCE."""
CONDITIONS_TIMEOUT_S = 10.0
PAIRED_WINDOWS = 6
PAIRED_SIBLINGS = 3
"""A rail is slow by itself, on a busy node too, when it is the slowest in so many windows, each with so many others: see
judge/windows.py."""
RAIL_ATTEMPTS = 4
"""Rounds with each node that is in doubt; two windows each, so that PAIRED_WINDOWS are reached."""
MEASURE_PAUSE_S = 4.0
"""Pause before what failed under bad conditions is measured again; doubles each time."""
MEASURE_BUDGET_S = 60.0
"""How long such pauses may take together in one step of a validation."""
SILENT_BYTES = 10_000
"""What a rail may count while nothing of a flow arrives: address resolution, others' broadcasts. A window of TCP is more."""
ARRIVED_LIMIT = 0.05
"""Where less of what was sent than this was counted at the other end, the rail carries nothing."""
RAIL_SECONDS = 2
"""Measured seconds of one flow; on a quiet machine its rates spread by 0.3 %."""
TOGETHER_SECONDS_MOST = 8
"""The longest window over all rails: it doubles from RAIL_SECONDS each time that the flows did not run side by side. Beside four
busy loops the 40 iperf3 of a lab start 2 to 3 s apart."""
RAIL_SECONDS_LEAST, RAIL_SECONDS_MOST = 0.75, 2.0
"""Of the measured seconds, what iperf3's receiver may have counted: buffers that empty late make it more, a machine that stood
still in between makes it next to nothing, or more than twice as much."""
RAIL_OMIT_S = 1
"""Seconds at the start of a flow that do not count: the shaper's burst and TCP's ramp lie in them."""
RAIL_SLACK_S = 20
"""How much longer than its data a flow may take, its start and its end included: on a busy node seconds each."""
RAIL_PORT = 35200
"""First port of the rail probes; rail i uses this plus i."""
RAIL_CONNECT_MS = 5000
"""SYN is sent at 0, 1 and 3 s (tcp(7)): two repeats before a path counts as closed."""
PERFTEST_CARDS_MOST = 8
"""Cards of one rail; each has a port of its own."""
PERFTEST_SIZE_BYTES, PERFTEST_DEPTH = 65_536, 128
"""Message size and queue depth of ib_write_bw by default (linux-rdma/perftest); at these one queue pair of a 400 Gb/s card
carries 392.1 Gb/s (NVIDIA/nccl issue 2409)."""
PERFTEST_QUEUED_S = 0.05
"""The most that may be under way at once: a fortieth of what RAIL_SECONDS carry, and what the shaper of a lab's rail queues."""
RAIL_GATE_FRACTION = 0.95
"""A rail passes at or above this fraction of its wire payload (design §5)."""
SIBLING_TOLERANCE = 0.03
"""A rail this far below the median of its sibling rails, or of the same rail elsewhere, fails."""
COLLECTIVE_STEADY = 0.05
"""Of a collective's certified rate, what a later run may lack: three runs differ by up to 4.35 % (docs/performance.md)."""
COUNTER_TOLERANCE = 0.02
"""Each rail's byte counter must be within this fraction of the bytes that the collective must move."""
MANAGEMENT_SHARE = 0.01
"""At most this share of a collective's bytes may cross the management network."""
RDMA_SIZE_BYTES = 1024**3
"""Where nobody published the size of a reference: so large that NCCL's own start and its log are next to nothing."""
RAIL_SHARE_UNUSED, RAIL_SHARE_DOUBTFUL = 0.1, 0.5
"""Of an equal share of a node's bytes: what NCCL's own choice of rings leaves no used rail below, and what needs a reason."""
GATING_SIZE_BYTES = 64 * 1024 * 1024
"""Smaller messages inform, they do not gate: the shaper's burst shows in them."""
BOUND_TOLERANCE = 0.02
"""A bandwidth this far above its bound is a wrong number, not a good one; a shaper's burst stays below."""
CERTIFICATE_DAYS = 90
"""How long a certificate stands: the length of one training campaign. Between two of them the nodes are idle, and everything
can be measured again without waiting for a job."""
CLOCK_AHEAD_S = 300.0
"""A certificate that was issued so far in the future shows that one of two clocks is wrong."""
MAX_EVIDENCE_BYTES = 16 * 1024**3
"""Evidence that is read to verify a certificate. A full run of four nodes keeps 1 MB; of four thousand it would be 1 GB."""
MAX_EXTRA_FILES = 1000
"""Files beside the certified ones that are looked at; each is named."""
REPORT_ROOM_BYTES, REPORT_NODE_BYTES = 64 * 1024**2, 1024**2
"""What must be free before anything is measured. Whole runs of the lab (five nodes, eight rails) wrote up to 0.4 MB a node
(2026-12-01), evidence included; the first figure is for what does not grow with nodes."""
REPORT_PART_ROOM_BYTES, REPORT_PART_NODE_BYTES = 8 * 1024**2, 256 * 1024
"""The same for a run with a filter. On a replayed cluster of nine nodes (2026-12-01) quick checks wrote 69 KiB a node, ``node.*``
72, ``fabric.rail.*`` 44, and all claims of one node 249 KiB; a whole run 230 KiB a node, so that any filter fits."""
KEPT_REPORTS = 200
"""Reports that stay: a timer writes 25 a day, so this is a week in which somebody can look at what it saw."""
FAILED_REPORT_DAYS = CERTIFICATE_DAYS
"""How long reports of failed runs stay beyond that: as long as a certificate stands, so that what failed while one campaign ran
can be compared until its end."""
RECOMPUTE_TOLERANCE = 0.002
"""Printed bandwidths follow from size and time within this fraction and print rounding (published logs: 5e-4)."""

# --- addresses of lab hosts -------------------------------------------------------------------------------------
CONTROLLER_OCTET = 10
FIRST_HOST_OCTET = 11
LAST_HOST_OCTET = 254
"""Last octet, in every network of the lab: the controller, the first and the last other host."""
CONTROLLER_NAME = "ctl"
CONTROLLER_CPUS = 2
CONTROLLER_MEMORY_MIB = 1024
"""What the lab's controller says it has; the metadata server of the filesystem takes about 470 MB of it."""

# --- lab faults ------------------------------------------------------------------------------------------------
FAULT_CLEAR_TIMEOUT_S = 60.0

# --- who drained a node ----------------------------------------------------------------------------------------
HEALTHCHECK_PREFIX = "[railbed:healthcheck]"
HEALTH_REPORT_PREFIX = "[railbed:health]"
"""In front of what a node reports and is not drained for: the scheduler keeps it as the node's comment."""
REPAIR_PREFIX = "[railbed:repair]"
UPGRADE_PREFIX = "[railbed:upgrade]"
AUTOMATIC_DRAINS = (HEALTHCHECK_PREFIX, REPAIR_PREFIX, UPGRADE_PREFIX)
"""Drains that railbed set: it may take them back, and their number is limited."""
OPERATOR_PREFIX = "[railbed:operator]"
"""`railbed node drain`: a person's will, given through railbed; only `railbed node resume` takes it back."""
EVIDENCE_TIMEOUT_S = 240.0
"""Longer than the sections together, each of which has a limit of its own."""
BUG_REPORT_TIMEOUT_S = 300.0
BUG_REPORT_BYTES = 32 * 1024**2

# --- logs that a user names ---------------------------------------------------------------------------------------
MAX_LOG_BYTES = 64 * 1024 * 1024
"""Larger files are no logs of the tools that railbed reads."""
MAX_KEY_BYTES = 64 * 1024
"""A public key in a file: the longest, RSA of 16,384 bits, has 3 KB."""

# --- JSON from outside: answers of nodes, files that a user names ---------------------------------------------------
MAX_JSON_BYTES = 256 * 1024 * 1024
"""The largest document is the engine's state: about 20 KB a node, so this holds ten thousand."""
MAX_JSON_DEPTH = 64
"""No document of railbed or its tools is nested deeper than 20; Python's own reader ends the program near 1,000."""
MAX_JSON_DIGITS = 40
"""Of one number; a double needs 25 characters, a byte counter 20."""

# --- baseboard management controllers (Redfish) -------------------------------------------------------------------
BMC_CONNECT_TIMEOUT_S = 10.0
BMC_READ_TIMEOUT_S = 60.0
"""BMCs are slow computers: an inventory page of a GPU server can take tens of seconds."""
BMC_TRIES = 5
"""One request and its repeats on 5xx, 429, 412 and broken connections; a refused password is never tried twice."""
BMC_FIRST_PAUSE_S = 1.0
BMC_LONGEST_PAUSE_S = 15.0
"""Pauses between repeats double from the first to the longest."""
POWER_POLL_S = 5.0
POWER_TIMEOUT_S = 300.0
"""From an accepted power request to the state that was asked for."""
SHUTDOWN_GRACE_S = 180.0
"""How long an operating system may take to shut down before the power is cut."""
MEDIA_TIMEOUT_S = 120.0
"""From an accepted image to ``Inserted``."""
INSTALL_TIMEOUT_S = 3600.0
"""First power-on to the installer's power-off: a GPU server tests its memory and cards for ten minutes first."""
IRONIC_ERASE_TIMEOUT_S = 86_400.0
"""One step of a full erasure: overwriting large disks takes many hours; a figure to bound it, not measured."""
HOST_UP_TIMEOUT_S = 1500.0
"""Power-on from disk to an SSH server that answers."""
IRONIC_POLL_S = 5.0
IRONIC_READY_TIMEOUT_S = 120.0
"""From its start to an answer of its API: 5 s of processor time, the first time with its database to make."""
IRONIC_READY_POLL_S = 0.3
IRONIC_STOP_TIMEOUT_S = 20.0
IRONIC_UID = 61_090
"""User of the embedded Ironic where railbed runs as root: below systemd's dynamic users (61184, systemd.exec(5)), above
people's accounts (60000, login.defs(5))."""
SSH_KEYSCAN_TIMEOUT_S = 5
METAL_WORKERS = 128
"""Machines that are installed side by side; each is only waited for."""

# --- clouds ----------------------------------------------------------------------------------------------------
CONSOLE_TIMEOUT_S = 1500.0
"""From a pool that is there to the host keys of its nodes: a bare-metal GPU server tests its memory before it boots."""
CONSOLE_POLL_S = 15.0
CONSOLE_CAPTURE_TIMEOUT_S = 60.0
"""One recording of a console, where the provider makes them on request."""
CLOUD_CONNECT_TIMEOUT_S = 10.0
CLOUD_READ_TIMEOUT_S = 60.0
CLOUD_TRIES = 6
"""One request to a provider and its repeats on 429, 5xx and broken connections."""
CLOUD_RETRY_S = 120.0
"""How long those repeats may take together."""
CLOUD_WORKERS = 64
"""Requests to a provider side by side, e.g. one for each node's console."""
AZURE_ROLE_SPREADS_S = 600.0
"""A role that was just assigned may not count for so long (learn.microsoft.com, role-based-access-control, troubleshooting:
up to 10 minutes). Only the run that assigns it waits."""
CLOUD_POOL_TIMEOUT_S = 7200
"""From a pool's request to its nodes: racks of bare metal are handed over one after another."""
RELEASE_TIMEOUT_S = 1800.0
"""For a provider to end the instances that leave a pool, and to count them out of their group."""
