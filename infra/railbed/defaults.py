"""Timeouts, retries, tolerances and paths that several modules use. Facts of the hardware are in the catalogue."""

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
PYPI_PAGE_BYTES = 64 * 2**20
"""The largest page of a package's files that is read; that of numpy, with thousands of files, has about a fiftieth."""
RELEASE_CHECK_MIB = 64
"""Files of a release up to this size are fetched when it is checked; larger ones only where that is asked for."""
RELEASE_CHECK_WORKERS = 8
NODE_REPOSITORY = "/opt/railbed/repository"
"""Folder on nodes that the cluster's own repository of packages is carried to."""
NODE_WHEELS = "/opt/railbed/wheels"
"""Folder on controllers that the training stack's wheels are carried to."""
WHEELS_PORT = 8480
"""TCP port of controllers at which they are served."""
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
SCHEDULED_MEMORY_SHARE = 0.95
"""Of a machine's nominal memory; Linux reports less, and a node that registers with less than RealMemory takes no jobs. AWS
ParallelCluster's share (docs.aws.amazon.com/parallelcluster, SchedulableMemory: 95 % of the type's memory)."""
ACCEPTANCE_RESERVATION = "railbed-acceptance"
"""Holds the nodes that never passed a full validation."""

# --- operate ---------------------------------------------------------------------------------------------------
DRAIN_POLL_S = 2.0
SWAP_RESERVATION = "railbed-swap-"
"""And the node: keeps the nodes of a job that is swapped at a checkpoint."""
CHECKPOINT_WITHIN_S = 1800.0
"""How long a swap waits for a job's checkpoint. Published jobs write one each half hour or so and in minutes; a proposal of this
project, which `--within` changes."""
REQUEUE_WITHIN_S = 300.0
"""From the request to the job's script that it queues itself again: Slurm gives its steps KillWait, 30 s by default, to end."""
RESTART_WITHIN_S = 1800.0
"""From there to its first word on the spare: epilogs and prologs, the programs' start, and reading the checkpoint."""

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
HEALTH_START_CHECK_S = 1.8
"""What the check of a node may take before each job: the whole start is to take 2 s at most, and Python starts in the rest."""
HEALTH_START_CONFIRM_S = 4.0
"""The same at the start of a job, which waits meanwhile: Slurm wants its Prolog done within MessageTimeout, 20 s here."""
HEALTH_HUNG_S = 300.0
"""How long a process of nvidia-smi must be in state D, where no signal ends it: then the driver hangs. Meta's check of processes
in that state has the same limit (github.com/facebookresearch/gcm); the kernel warns after 120 s (hung_task_timeout_secs)."""
HEALTH_RETURN_PASSES = 3
"""Clean looks in a row before a node gives itself back: at 30 s each it was well for a minute."""
HEALTH_RETURNS = 3
HEALTH_RETURNS_WINDOW_S = 86_400.0
"""A node that came back so often within the window stays drained the next time: a fault that comes and goes is worse for a job
of weeks than one node less."""

# --- guards of what railbed does to nodes (docs/reference/safety.md#guards); the numbers are proposals of this project ---------
REPAIRS_WINDOW_S = 604_800.0
REPAIRS_PER_NODE = 3
"""Repairs of one node within the window (a week): beyond them the next would not help either: a part has to be replaced. With 5 a
broken part that no check sees stops a simulated job half again as often (benchmarks/repairs)."""
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
DAY_S = 86_400.0

# --- what a node prints ----------------------------------------------------------------------------------------
REPLY_MAX_BYTES = 1024 * 1024
"""Largest JSON document that is read from a node; the on-node suite's is some KiB."""
REPLY_MAX_WHOLE = 2**63 - 1
"""Largest whole number in it: byte counters of the kernel are smaller, and it has a floating point."""
SHOWN_CHARACTERS = 500
"""So much of one sentence or value of a node is shown; the whole of it is in the evidence."""

# --- validate --------------------------------------------------------------------------------------------------
OPTICS_CARD_S = 20.0
"""For the firmware of one card to tell its link, module and counters."""
OPTICS_NODE_S = 45.0
"""For all cards of a node, which are asked at once."""
PRE_FEC_BER = 2.4e-4
"""Bit error ratio that a link under RS(544,514) must stay below before the error correction (IEEE Std 802.3-2022, 124.1.1, of
400GBASE-DR4, and the same of the other physical layers of 50 and 100 Gb/s a lane)."""
FABRIC_OUTPUT_BYTES = 32 * 1024 * 1024
"""What is kept of a topology: about 150 bytes a port, and 65,536 endpoints have 4 ports each."""
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
STEP_COMMENT = "railbed validate"
"""On every step that a validation starts; no user's job has it."""
NCCL_TESTS_FOLDER = "/opt/railbed/nccl-tests/bin"
"""Where role ``nccl_tests`` has its programs."""
NCCL_LOG_FOLDER = "/var/tmp"  # noqa: S108  nobody can guess the names in it
"""Where NCCL's processes log on a node. A job's /tmp is gone with the job, and not every operator is root."""
STEP_WAIT_S = 15
"""How long the scheduler may take to start a step of ours; afterwards the claim is unproven."""
JOB_POLL_S = 0.5
STORAGE_PROBE_BYTES = 16 * 1024 * 1024
"""One client's file: bounded, so that a probe never fills or burdens a filesystem in use."""
STORAGE_TIMEOUT_S = 20.0
"""A full or broken filesystem can block a write for minutes."""
STORAGE_FILES = 500
"""Files that each client makes, looks at and deletes: tenths of a second."""
OLD_FOLDERS_LIMIT_S = 30.0
STORAGE_PEERS_LEAST = 3
"""Of two clients that differ nobody knows which one is wrong."""
STORAGE_PEER_FLOOR = 0.25
"""Of the median of the other clients. In 7 rounds of 4 MooseFS clients on one computer with 2 cores (fio 3.33, all at once) the
slowest wrote 0.60 and read 0.27 of it: clients that share everything are that unlike for a second."""
STORAGE_ROUNDS = 3
"""Rounds in which a client may show that it is no slower than the others; the second and third only where one was."""
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
OTHER_TRAFFIC_LIMIT = 0.01
"""Of a rail's rate, what others may use: a third of SIBLING_TOLERANCE."""
PAIRED_WINDOWS = 6
MEASURE_BUDGET_S = 60.0
"""How long such pauses may take together in one step of a validation."""
RAIL_SECONDS = 2
"""Measured seconds of one flow; on a quiet machine its rates spread by 0.3 %."""
RAIL_OMIT_S = 1
"""Seconds at the start of a flow that do not count: the shaper's burst and TCP's ramp lie in them."""
RAIL_SLACK_S = 20
"""How much longer than its data a flow may take, its start and its end included: on a busy node seconds each."""
RAIL_PORT = 35200
"""First port of the rail probes; rail i uses this plus i."""
SIBLING_TOLERANCE = 0.03
"""A rail this far below the median of its sibling rails, or of the same rail elsewhere, fails."""
COUNTER_TOLERANCE = 0.02
"""Each rail's byte counter must be within this fraction of the bytes that the collective must move."""
MANAGEMENT_SHARE = 0.01
"""At most this share of a collective's bytes may cross the management network."""
RDMA_SIZE_BYTES = 1024**3
"""Where nobody published the size of a reference: so large that NCCL's own start and its log are next to nothing."""
GATING_SIZE_BYTES = 64 * 1024 * 1024
"""Smaller messages inform, they do not gate: the shaper's burst shows in them."""
BOUND_TOLERANCE = 0.02
"""A bandwidth this far above its bound is a wrong number, not a good one; a shaper's burst stays below."""
CERTIFICATE_DAYS = 90
"""How long a certificate stands: the length of one training campaign. Between two of them the nodes are idle, and everything
can be measured again without waiting for a job."""
MAX_EVIDENCE_BYTES = 16 * 1024**3
"""Evidence that is read to verify a certificate. A full run of four nodes keeps 1 MB; of four thousand it would be 1 GB."""
KEPT_REPORTS = 200
"""Reports that stay: a timer writes 25 a day, so this is a week in which somebody can look at what it saw."""

# --- addresses of lab hosts -------------------------------------------------------------------------------------
FIRST_HOST_OCTET = 11
LAST_HOST_OCTET = 254
"""Last octet, in every network of the lab: the controller, the first and the last other host."""
CONTROLLER_NAME = "ctl"

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

# --- logs that a user names ---------------------------------------------------------------------------------------
MAX_LOG_BYTES = 64 * 1024 * 1024
"""Larger files are no logs of the tools that railbed reads."""

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

# --- Kubernetes ------------------------------------------------------------------------------------------------
INSTALL_EXTRA = (
    "run `.railbed/uv/bin/uv sync --frozen --inexact --extra {kind}` (or `pip install 'railbed[{kind}]'`)"
)
KUBERNETES_MIN = (1, 34)
"""First version with ``resource.k8s.io/v1`` (dynamic resource allocation; Kubernetes 1.34 release notes)."""
KUBERNETES_CONNECT_TIMEOUT_S = 10.0
KUBERNETES_READ_TIMEOUT_S = 60.0
KUBERNETES_PAGE = 500
"""Objects that one answer lists, as kubectl asks for."""
KUBERNETES_RESPONSE_BYTES = 256 * 2**20
"""Of one answer: 500 nodes of a busy cluster take some tens of MB."""
KUBERNETES_FIELD_MANAGER = "railbed"
KUBERNETES_PREFIX = "railbed"
"""Begins the keys of railbed's own labels, taints and annotations."""
KUBERNETES_TRIES = 5
"""How often a change is tried again where somebody else changed the object between reading and writing."""
KUBERNETES_PLACE_S = 30.0
"""For the scheduler to place the pod of a check, and its own words where it cannot; also what a pod may take to end."""
KUBERNETES_CHECK_POLL_S = 1.0
KUBERNETES_PULL_S = 600.0
"""For a node to fetch the image of the checks, from the Job's start."""
KUBERNETES_CHECK_LEFT_S = 900
"""The Job of a check ends, and goes, so long after its start, or its end, where its validation was cut off."""
KUBERNETES_LEASE_S = 60
"""A Lease that its holder has not renewed for so long is taken over; what is done under one takes seconds."""
