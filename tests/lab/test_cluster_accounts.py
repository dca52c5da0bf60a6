"""The same cluster, shared: two tenants, their users' logins, files, limits and jobs; then nobody again."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Cli, wait_for

pytestmark = pytest.mark.lab
KINDS = ("single-gpu", "array", "hpl", "lora", "torchrun")
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")

ASK = """
import urllib.request
headers = {{"Authorization": "Bearer {token}"}}
asked = urllib.request.Request("{url}", b'{{"input": [1, 2, 3, 4]}}', headers)
print(urllib.request.urlopen(asked, timeout=20).read().decode())
"""


class People:
    """Users with their keys, on the cluster."""

    def __init__(self, cluster: Cli, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.before = cluster.work.stack_file.read_text()
        for name in ("alice", "bob"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
                check=True,
                timeout=30,
            )

    def declare(self, *tenants: dict[str, Any]) -> None:
        """Writes users and tenants into the stack file; without tenants what stood there before."""
        document = yaml.safe_load(self.before)
        if tenants:
            keys = {
                name: {"keys": [(self.folder / f"{name}.pub").read_text().strip()]}
                for name in ("alice", "bob")
            }
            document["config"]["railbed:cluster"] |= {"users": keys, "tenants": list(tenants)}
        self.cluster.work.stack_file.write_text(yaml.safe_dump(document))

    def run(self, user: str, node: str, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """``command`` over SSH as the user, with the user's key alone."""
        options = ["ControlPath=none", "IdentitiesOnly=yes", "LogLevel=INFO"]
        return subprocess.run(
            ["ssh", "-F", str(self.cluster.work.ssh_config), *(f"-o{one}" for one in options), "-i", str(self.folder / user),
             "-l", user, node, command],
            input=stdin, text=True, capture_output=True, check=False, timeout=120,
        )  # fmt: skip

    def say(self, user: str, command: str, stdin: str = "") -> str:
        """What the command printed on the controller."""
        done = self.run(user, "ctl0", command, stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submit(self, user: str, folder: str, script: str, *options: str) -> str:
        return self.say(user, f"cd {folder} && sbatch --parsable {' '.join(options)}", script).strip()

    def state(self, job: str) -> str:
        """The worst state of a job and its array's tasks, once it is final; empty before."""
        said = self.cluster.ssh("ctl0", f"sacct -Xn -P -j {job} -o State").split("\n")
        states = {line.split(" ")[0] for line in said if line}
        if not states or states - set(FINAL):
            return ""
        return next(iter(states - {"COMPLETED"}), "COMPLETED")


ACME = {
    "name": "acme", "members": ["alice"], "share": 60, "priority": 10, "pools": ["h100"],
    "limits": {"gpus": 16, "gpus_per_user": 16, "gpu_hours": 100, "job_hours": 2},
    "project": {"filesystem": "scratch", "quota_gib": 1},
}  # fmt: skip
UNI = {
    "name": "uni",
    "members": ["bob", "alice"],
    "limits": {"gpus": 8},
    "project": {"filesystem": "scratch"},
}


@pytest.fixture(scope="module")
def people(cluster: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    made = People(cluster, tmp_path_factory.mktemp("people"))
    certificate = cluster.work.certificate_file.read_bytes()
    made.declare(ACME, UNI)
    assert json.loads(cluster("tenant", "diff", "--json").stdout)["changes"], (
        "the dry run names what up will do"
    )
    up = cluster.build()
    assert up["validate"]["verdict"] == "pass"
    assert up["quick"] and cluster.work.certificate_file.read_bytes() == certificate, "the certificate stands"
    yield made
    made.declare()
    cluster.build()
    assert cluster.ssh("ctl0", "sacctmgr -nP show account format=Account").split() == ["root"]


def test_a_second_diff_is_empty(people: People) -> None:
    assert people.cluster.json("tenant", "diff") == {"changes": [], "notes": [], "held_back_by_jobs": []}


def test_users_log_in_where_they_submit_and_are_nobody_else(people: People) -> None:
    assert "uid=" in people.say("alice", "id") and "acme" in people.say("alice", "id -Gn").split()
    assert people.run("alice", "ctl0", "sudo -n true").returncode != 0
    refused = people.run("bob", "h100-0", "true")
    assert refused.returncode != 0 and "no active jobs on this node" in refused.stderr
    info = people.say("bob", "railbed-info")
    assert "/scratch/projects/uni" in info and "/scratch/projects/acme" not in info and "GPUs free" in info


def test_a_tenants_files_are_its_own(people: People) -> None:
    people.say("alice", "echo secret > /scratch/projects/acme/plan")
    assert people.say("alice", "stat -c '%G %a' /scratch/projects/acme").split() == ["acme", "2770"]
    refused = people.run("bob", "ctl0", "cat /scratch/projects/acme/plan")
    assert refused.returncode != 0 and "Permission denied" in refused.stderr
    assert "acme" in people.say("alice", "stat -c %G /scratch/projects/acme/plan"), (
        "the group's, whoever wrote it"
    )


def test_more_than_the_quota_is_refused(people: People) -> None:
    assert people.run("alice", "ctl0", "truncate -s 2G /scratch/projects/acme/big").returncode != 0
    people.say("alice", "truncate -s 512M /scratch/projects/acme/half")


@pytest.mark.parametrize(
    ("user", "options", "told"),
    [
        ("bob", ["--gpus=9"], "AssocGrpGRES"), ("bob", ["-p", "h100", "--gpus=1"], "Invalid account or account/partition"),
        ("bob", ["--account=acme", "--gpus=1"], "Invalid account"),
        ("alice", ["-p", "h100", "--gpus=1", "--time=03:00:00"], "QOSMaxWall"),
    ],
)  # fmt: skip
def test_a_job_over_a_limit_is_refused_by_its_name(
    people: People, user: str, options: list[str], told: str
) -> None:
    refused = people.run(user, "ctl0", f"sbatch {' '.join(options)} --wrap true")
    assert refused.returncode != 0 and told in refused.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_each_template_runs_as_it_is(people: People, kind: str) -> None:
    script = json.loads(people.cluster("job", "init", kind, "--tenant", "acme", "--json").stdout)["script"]
    job = people.submit("alice", "/scratch/projects/acme", script)
    wait_for(lambda: bool(people.state(job)), 300)
    output = people.say("alice", f"cat /scratch/projects/acme/*-{job}*.out")
    assert people.state(job) == "COMPLETED" and "done" in output, output
    if kind == "single-gpu":
        assert "GPU 0" in output


def test_training_goes_on_from_its_checkpoint_after_a_requeue(people: People) -> None:
    script = json.loads(people.cluster("job", "init", "torchrun", "--tenant", "acme", "--json").stdout)[
        "script"
    ]
    slow = script.replace("    loss.backward()\n", "    loss.backward()\n    import time; time.sleep(0.2)\n")
    assert slow != script
    folder = "/scratch/projects/acme"
    job = people.submit("alice", folder, slow)
    wait_for(
        lambda: "step 20 " in people.run("alice", "ctl0", f"cat {folder}/torchrun-{job}.out").stdout, 300
    )
    people.say("alice", f"scontrol requeue {job}")
    time.sleep(3)
    # Slurm holds a requeued job back for two minutes; an administrator lets it start.
    wait_for(lambda: "PENDING" in people.cluster.ssh("ctl0", f"squeue -h -j {job} -o %T", may_fail=True), 60)
    people.cluster.ssh("ctl0", f"scontrol update JobId={job} StartTime=now")
    wait_for(lambda: bool(people.state(job)), 300)
    output = people.say("alice", f"cat {folder}/torchrun-{job}.out")
    assert "goes on from step " in output and "run 2 on" in output and output.rstrip().endswith("done"), (
        output
    )


def test_a_service_answers_who_has_its_token_and_others_see_nothing_of_it(people: People) -> None:
    script = json.loads(people.cluster("job", "init", "inference", "--tenant", "acme", "--json").stdout)[
        "script"
    ]
    folder = "/scratch/projects/acme"
    job = people.submit("alice", folder, script)
    wait_for(lambda: people.run("alice", "ctl0", f"test -e {folder}/endpoint-{job}").returncode == 0, 300)
    endpoint = people.say("alice", f"cat {folder}/endpoint-{job}").strip()
    token = people.say("alice", f"cat {folder}/endpoint-{job}.token").strip()
    assert people.run("bob", "ctl0", f"cat {folder}/endpoint-{job}.token").returncode != 0
    assert "401" in people.run("bob", "ctl0", "python3 -", ASK.format(url=endpoint, token="guessed")).stderr
    assert (
        len(json.loads(people.say("bob", "python3 -", ASK.format(url=endpoint, token=token)))["output"]) == 2
    )
    node = people.cluster.ssh("ctl0", f"squeue -h -j {job} -o %N").strip()
    assert people.run("alice", node, "true").returncode == 0, "beside an own job"
    assert people.run("bob", node, "true").returncode != 0
    assert job not in people.say("bob", "squeue -h -o %i").split()
    # Whoever has jobs is not removed, and they are named.
    people.declare(UNI)
    error = json.loads(people.cluster("up", "--json", status=2).stdout)["error"]
    assert (error["code"], error["found"]) == ("TENANT_JOBS", [job])
    people.declare(ACME, UNI)
    people.say("alice", f"scancel {job}")
    wait_for(lambda: bool(people.state(job)), 60)


def test_what_they_used_is_counted(people: People) -> None:
    month = people.cluster.ssh("ctl0", "date +%Y-%m").strip()
    used = people.cluster.json("usage", "--month", month)
    rows = {row["account"]: row for row in used["accounts"]}
    assert rows["acme"]["gpu_hours"] > 0 and rows["acme"]["users"] == 1 and rows["acme"]["cost"] is None
    seconds = people.cluster.ssh("ctl0", "sacct -aXnPD -A acme -S today -o AllocTRES,ElapsedRaw").splitlines()
    gpus = [
        (line.partition("gres/gpu=")[2].split(",")[0].split("|")[0], int(line.rpartition("|")[2]))
        for line in seconds
    ]
    assert rows["acme"]["gpu_hours"] == pytest.approx(sum(int(n or 0) * s for n, s in gpus) / 3600, abs=0.01)
