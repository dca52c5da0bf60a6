"""A running job goes on with a spare, over a model of Slurm: what is asked and proven; a kill anywhere is gone on from."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.slurm_jobs import FOLDER, Cluster, Training
from tests.unit.operate.world import Killed

from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, REPAIR_PREFIX
from railbed.effects import acceptance, places
from railbed.effects.journal import Journal
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError, UsageError
from railbed.operate import drain, guards, picture, swap, swap_at_checkpoint, swap_phases
from railbed.operate.swap_phases import SwappedAtCheckpoint

NODE, SPARE, RESERVATION = "h100-1", "h100-3", "railbed-swap-h100-1"
BEFORE, AFTER = ("h100-0", NODE), ["h100-0", SPARE]


@pytest.fixture
def of(contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch) -> Contract:
    """Three nodes that passed, and a spare that takes no user's job."""
    acceptance.admit(work, contract.with_role("compute", "spare"), None)
    for module in (drain, swap_phases):
        monkeypatch.setattr(module, "DRAIN_POLL_S", 0.0)
    for limit in ("REQUEUE_WITHIN_S", "RESTART_WITHIN_S"):
        monkeypatch.setattr(swap_phases, limit, 0.2)
    return contract.model_copy(update={"standby_pools": ["h100"]})


@pytest.fixture
def cluster(of: Contract) -> Cluster:
    """The job runs on the node and another one."""
    made = Cluster(of, reserved={ACCEPTANCE_RESERVATION: (SPARE,)})
    made.start(Training(BEFORE))
    return made


def run(of: Contract, work: Workspace, cluster: Cluster, **how: Any) -> SwappedAtCheckpoint:
    scheduler = Scheduler(cluster)  # type: ignore[arg-type]
    return swap_at_checkpoint.run(of, work, scheduler, NODE, lambda _: None, **{"within_s": 0.2, **how})


def kinds(work: Workspace) -> list[str]:
    return [str(one["event"]) for one in Journal(work.journal_file).read()]


def require_swapped(work: Workspace, cluster: Cluster) -> None:
    job = cluster.job
    assert job is not None and job.state == "RUNNING" and list(job.ranks) == AFTER, cluster.history
    assert job.step == job.saved_step > 100, "from the checkpoint that was asked for"
    assert (job.reservation, cluster.reserved) == ("", {ACCEPTANCE_RESERVATION: (NODE,)})
    assert work.places.read() == {NODE: SPARE, SPARE: NODE}
    assert cluster.reasons[NODE].startswith(REPAIR_PREFIX) and set(cluster.reasons) == {NODE}
    assert kinds(work)[-1] == "swap-done"


def require_untouched(work: Workspace, cluster: Cluster) -> None:
    assert (cluster.reserved, cluster.reasons, work.places.read()) == (
        {ACCEPTANCE_RESERVATION: (SPARE,)},
        {},
        {},
    )


def test_the_job_goes_on_with_the_spare_at_the_node_s_rank(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    done = run(of, work, cluster)
    assert (done.job, done.owner, done.spare, done.step, done.restarted) == ("7", "ada", SPARE, 107, True)
    assert (done.nodes, done.nodes_after, done.order) == (list(BEFORE), AFTER, ["h100-0", SPARE, "h100-2"])
    assert cluster.history == ["asked", "requeued", "started on h100-0,h100-3"]
    assert [one.removeprefix("swap-at-") for one in kinds(work)] == [
        "begin", "reserve", "signal", "saved", "stop", "out", "swap-drain", "place", "swapped-in", "restart", "release",
        "swap-done",
    ]  # fmt: skip
    require_swapped(work, cluster)
    with pytest.raises(UsageError, match="a spare itself"):
        run(of, work, cluster)


def test_a_rank_order_that_is_not_that_of_the_names_is_kept(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    assert cluster.job is not None
    cluster.job.ranks = (NODE, "h100-0")
    cluster.mark()
    done = run(of, work, cluster)
    assert (done.nodes_after, done.restarted, cluster.job.ranks) == (
        [SPARE, "h100-0"],
        True,
        (SPARE, "h100-0"),
    )


def test_nodes_that_the_owner_asked_for_by_name_are_changed_too(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    assert cluster.job is not None
    cluster.job.required = BEFORE
    assert run(of, work, cluster).restarted and list(cluster.job.required) == AFTER


def test_others_may_take_none_of_the_nodes_while_the_job_waits(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    held: list[tuple[str, ...]] = []

    def look(seen: Cluster, _: list[str]) -> None:
        if seen.job and seen.job.state == "PENDING":
            held.append(seen.reserved.get(RESERVATION, ()))

    cluster.meanwhile = look
    run(of, work, cluster)
    assert held and all(set(AFTER) <= set(one) for one in held)


def test_the_plan_changes_nothing(of: Contract, work: Workspace, cluster: Cluster) -> None:
    found, refused = swap_at_checkpoint.plan(of, work, Scheduler(cluster), NODE)  # type: ignore[arg-type]
    assert (found.spare, found.nodes_after, found.goes_on_from, refused) == (SPARE, AFTER, "", [])
    require_untouched(work, cluster)
    assert not work.journal_file.exists() and cluster.history == []
    changing = {"scancel", "create", "update", "delete"}
    assert not [one for one in cluster.sent if changing & set(one[:2])]


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"comment": ""}, "NOT_ALLOWED", "did not opt in"),
        ({"comment": "my run"}, "NOT_ALLOWED", "my run"),
        ({"comment": "railbed:swap-at-checkpoint=../../etc/x"}, "NOT_ALLOWED", "did not opt in"),
        ({"array": "_3"}, "NOT_ALLOWED", "array"),
        ({"requeue": False}, "NOT_ALLOWED", "no batch job"),
        ({"batch": False}, "NOT_ALLOWED", "no batch job"),
    ],
)
def test_a_job_that_did_not_agree_is_refused_by_its_number(
    of: Contract, work: Workspace, cluster: Cluster, changed: dict[str, Any], code: str, says: str
) -> None:
    for key, value in changed.items():
        setattr(cluster.job, key, value)
    with pytest.raises(UsageError, match="job 7") as refused:
        run(of, work, cluster, force="now")
    assert (refused.value.code, int(refused.value.exit_status)) == (code, 2) and says in refused.value.message
    require_untouched(work, cluster)
    assert not work.journal_file.exists() and cluster.history == []


def test_several_jobs_on_the_node_or_none_are_refused(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    cluster.running["8"] = NODE
    with pytest.raises(UsageError, match="2 jobs are on h100-1") as refused:
        run(of, work, cluster)
    assert refused.value.code == "NOT_ALLOWED"
    cluster.running, cluster.job = {}, None
    with pytest.raises(UsageError, match="no job is on") as refused:
        run(of, work, cluster)
    assert refused.value.code == "NO_JOB"
    require_untouched(work, cluster)


@pytest.mark.parametrize("marker", ["absent", "of another job", "of an earlier run", "no marker"])
def test_a_script_that_did_not_say_that_it_listens_gets_no_signal(
    of: Contract, work: Workspace, cluster: Cluster, marker: str
) -> None:
    path = f"{FOLDER}/torchrun-7/marker.json"
    assert cluster.job is not None
    if marker == "absent":
        del cluster.files[path]
    elif marker == "of another job":
        cluster.mark(job="6")
    elif marker == "of an earlier run":
        cluster.job.restarts = 1
    else:
        cluster.write(path, b"step 90")
    with pytest.raises(UnprovenError) as refused:
        run(of, work, cluster)
    assert refused.value.code == "NOT_READY" and cluster.history == []
    require_untouched(work, cluster)


def test_a_job_that_excludes_the_spare_is_left(of: Contract, work: Workspace, cluster: Cluster) -> None:
    assert cluster.job is not None
    cluster.job.excluded = (SPARE,)
    with pytest.raises(UnprovenError, match="excludes h100-3"):
        run(of, work, cluster)
    require_untouched(work, cluster)


def checkpoint_is(cluster: Cluster, what: str) -> None:
    """Instead of what the job saves when it is asked."""
    job = cluster.job
    assert job is not None
    saved = f"{FOLDER}/torchrun-7/checkpoint.pt"

    def save(_: Training) -> None:
        if what == "of another job":
            cluster.mark(job="6")
        elif what == "an old one":
            job.asked = 0
            cluster.mark()
        elif what == "cut short":
            cluster.mark()
            cluster.write(saved, b"weights")
        elif what == "damaged":
            cluster.mark()
            cluster.write(saved, b"weights of 9X")
        elif what == "gone":
            cluster.mark()
            del cluster.files[saved]
        elif what == "no file":
            cluster.mark(files=[])

    cluster._save = save  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "what", ["none", "an old one", "of another job", "cut short", "damaged", "gone", "no file"]
)
def test_without_a_new_checkpoint_that_is_whole_nothing_is_stopped(
    of: Contract, work: Workspace, cluster: Cluster, what: str
) -> None:
    checkpoint_is(cluster, what)
    with pytest.raises(UnprovenError, match="nothing was stopped") as late:
        run(of, work, cluster)
    assert (late.value.code, int(late.value.exit_status)) == ("CHECKPOINT_LATE", 3)
    assert cluster.history == ["asked"] and cluster.job is not None and cluster.job.state == "RUNNING"
    require_untouched(work, cluster)
    assert kinds(work)[-2:] == ["swap-at-undo", "swap-untouched"]


def test_a_script_that_does_not_stop_is_left_as_it_is(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    def deaf(seen: Cluster, argv: list[str]) -> None:
        assert seen.job is not None
        seen.job.listens = "--signal=USR2" not in argv

    cluster.meanwhile = deaf
    with pytest.raises(UnprovenError) as stopped:
        run(of, work, cluster)
    assert stopped.value.code == "NOT_STOPPED" and cluster.job is not None and cluster.job.state == "RUNNING"
    require_untouched(work, cluster)


MOMENTS = ["swap-at-reserve", "swap-at-signal", "swap-at-saved", "swap-at-stop", "swap-at-out", "swap-drain"]
"""Entries of the journal after which something happens, all before the exchange."""


def after(monkeypatch: pytest.MonkeyPatch, kind: str, happens: Any) -> None:
    write = Journal.write

    def writes(self: Journal, event: str, **fields: Any) -> None:
        write(self, event, **fields)
        if event == kind:
            happens()

    monkeypatch.setattr(Journal, "write", writes)


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELLED", "FAILED", "forgotten"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_job_that_ends_meanwhile_ends_the_swap_before_the_exchange(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, moment: str, state: str
) -> None:
    def ends() -> None:
        assert cluster.job is not None
        if state == "forgotten":
            cluster.job = None
        else:
            cluster.job.state = state

    after(monkeypatch, moment, ends)
    with pytest.raises(UnprovenError) as ended:
        run(of, work, cluster)
    assert ended.value.code == "JOB_ENDED"
    require_untouched(work, cluster)


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELLED"])
def test_a_job_that_ends_after_the_exchange_leaves_the_swap_whole(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    after(monkeypatch, "swap-at-place", lambda: setattr(cluster.job, "state", state))
    done = run(of, work, cluster)
    assert not done.restarted and state in done.why_not
    assert cluster.reserved == {ACCEPTANCE_RESERVATION: (NODE,)} and places.standby(of, work) == {NODE}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_spare_that_falls_before_the_exchange_is_not_put_in(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    after(monkeypatch, moment, lambda: cluster.reasons.update({SPARE: "fan, ada"}))
    with pytest.raises(UnprovenError) as gone:
        run(of, work, cluster)
    assert gone.value.code == "NO_SPARE" and "fan, ada" in str(gone.value.found)
    assert cluster.reasons == {SPARE: "fan, ada"} and work.places.read() == {}
    assert cluster.reserved == {ACCEPTANCE_RESERVATION: (SPARE,)}
    stopped = moment in ("swap-at-stop", "swap-at-out", "swap-drain")
    assert ("requeued" in cluster.history) is stopped
    cluster.now_s += 200
    cluster._schedule()
    assert cluster.job is not None and cluster.job.state == "RUNNING", "it starts again by itself"


def test_a_node_that_a_person_gives_back_is_not_swapped(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(monkeypatch, "swap-drain", lambda: cluster.reasons.pop(NODE))
    with pytest.raises(UnprovenError) as back:
        run(of, work, cluster)
    assert back.value.code == "GIVEN_BACK"
    require_untouched(work, cluster)


def test_a_person_s_drain_stays(of: Contract, work: Workspace, cluster: Cluster) -> None:
    cluster.reasons[NODE] = "fan, ada"
    done = run(of, work, cluster)
    assert done.kept_drained_by == "fan, ada" and done.restarted and cluster.reasons == {NODE: "fan, ada"}


def test_a_reservation_that_slurm_keeps_is_named(of: Contract, work: Workspace, cluster: Cluster) -> None:
    cluster.stuck_reservation = True
    done = run(of, work, cluster)
    assert (done.restarted, done.kept_reservation) == (True, RESERVATION)


def test_a_job_that_goes_on_from_an_older_step_is_said(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(monkeypatch, "swap-at-restart", lambda: setattr(cluster.job, "saved_step", 90))
    done = run(of, work, cluster)
    assert not done.restarted and done.why_not == "it went on from step 90, and 107 was saved"
    assert cluster.reserved == {ACCEPTANCE_RESERVATION: (NODE,)}


def test_a_reservation_of_somebody_else_is_a_hard_stop(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    cluster.reserved["run-of-75-days"] = (NODE,)
    with pytest.raises(UnprovenError, match="run-of-75-days"):
        run(of, work, cluster, force="now")
    assert cluster.history == [] and not work.journal_file.exists()


def test_a_swap_that_was_begun_holds_others_back_and_names_the_way(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed() -> None:
        raise Killed

    with monkeypatch.context() as patch:
        after(patch, "swap-drain", killed)
        with pytest.raises(Killed):
            run(of, work, cluster)
    scheduler = Scheduler(cluster)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="was begun and not ended") as begun:
        swap.swap(of, work, scheduler, NODE, lambda _: None)
    assert begun.value.code == "BEGUN" and "--at-checkpoint" in begun.value.hint
    seen = picture.take(of, work, scheduler)
    held = {one.guard: one.why for one in guards.refusals(seen, [NODE], guards.Action.REPAIR)}
    assert guards.Guard.ONE_ACTION in held and "not seen to its end" in held[guards.Guard.JOBS]
    assert swap_at_checkpoint.plan(of, work, scheduler, NODE)[0].goes_on_from == "out"


ENTRIES = 12
"""Of the swap below that is not killed; the test counts them."""


@pytest.mark.parametrize("point", range(1, 2 * ENTRIES + 1))
def test_a_kill_at_any_entry_is_gone_on_from(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    """Just after entry ``point`` is on disk, and just before it is: half the points each."""
    count, write = [0], Journal.write

    def writes(self: Journal, event: str, **fields: Any) -> None:
        count[0] += 1
        if point == count[0] + ENTRIES:
            raise Killed
        write(self, event, **fields)
        if point == count[0]:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", writes)
        with pytest.raises(Killed):
            run(of, work, cluster)
    known = kinds(work)
    if "swap-done" not in known:
        assert run(of, work, cluster).restarted
    assert kinds(work)[: len(known)] == known, "no entry is lost"
    require_swapped(work, cluster)
    assert cluster.history.count("requeued") == 1, "stopped once, by its own script"


def mutating(argv: list[str]) -> bool:
    return argv[0] == "scancel" or (argv[0] == "scontrol" and argv[1] in ("create", "update", "delete"))


COMMANDS = 11
"""That change something in the swap below that is not killed; the test counts them."""


@pytest.mark.parametrize("point", range(1, COMMANDS + 1))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_any_command_is_gone_on_from(
    of: Contract, work: Workspace, cluster: Cluster, moment: str, point: int
) -> None:
    count = [0]

    def killed(seen: Cluster, argv: list[str]) -> None:
        if moment == "after" and count[0] == point:
            raise Killed
        count[0] += mutating(argv)
        if moment == "before" and count[0] == point:
            raise Killed

    cluster.meanwhile = killed
    with pytest.raises(Killed):
        run(of, work, cluster)
    cluster.meanwhile = lambda *_: None
    if "swap-done" not in kinds(work):
        assert run(of, work, cluster).restarted
    require_swapped(work, cluster)
    assert cluster.history.count("requeued") == 1


def test_the_points_above_are_all_there_are(of: Contract, work: Workspace, cluster: Cluster) -> None:
    run(of, work, cluster)
    assert (len(kinds(work)), sum(mutating(one) for one in cluster.sent)) == (ENTRIES, COMMANDS)


def test_a_run_that_goes_on_later_asks_for_another_checkpoint(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job went on for hours: the checkpoint of then must not be what it restarts from."""

    def killed() -> None:
        raise Killed

    with monkeypatch.context() as patch:
        after(patch, "swap-at-saved", killed)
        with pytest.raises(Killed):
            run(of, work, cluster)
    assert cluster.job is not None
    cluster.job.step = 9000
    assert run(of, work, cluster).step == 9007 and cluster.history.count("asked") == 2


@pytest.mark.parametrize("point", [1, 2, 3, 4])
def test_a_kill_while_it_gives_up_is_gone_on_from(
    of: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    checkpoint_is(cluster, "none")
    count, write = [0], Journal.write

    def writes(self: Journal, event: str, **fields: Any) -> None:
        at = {"swap-at-undo": 1, "swap-untouched": 3}.get(event, 0)
        count[0] = at
        if at == point:
            raise Killed
        write(self, event, **fields)
        if at + 1 == point and at:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", writes)
        with pytest.raises(Killed):
            run(of, work, cluster)
    if kinds(work)[-1] != "swap-untouched":
        with pytest.raises(UnprovenError) as late:
            run(of, work, cluster)
        assert late.value.code == "CHECKPOINT_LATE"
    require_untouched(work, cluster)
    assert "requeued" not in cluster.history


def killed_once_it_stopped(of: Contract, work: Workspace, cluster: Cluster) -> Training:
    """railbed is gone for longer than Slurm holds a requeued job back."""

    def killed(seen: Cluster, _: list[str]) -> None:
        if "requeued" in seen.history:
            raise Killed

    cluster.meanwhile = killed
    with pytest.raises(Killed):
        run(of, work, cluster)
    cluster.meanwhile = lambda *_: None
    assert cluster.job is not None
    return cluster.job


def later(cluster: Cluster) -> None:
    for _ in range(2):
        cluster.now_s += 200
        cluster._schedule()


def test_a_job_that_started_elsewhere_while_nobody_looked_is_left_there(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    cluster.start(Training((NODE,)))
    job = killed_once_it_stopped(of, work, cluster)
    later(cluster)
    assert (job.state, job.nodes) == ("RUNNING", ("h100-0",)), "its own node is kept, and it waits for none"
    done = run(of, work, cluster)
    assert (done.restarted, done.why_not) == (False, "it runs on h100-0")
    assert (job.state, cluster.history.count("requeued")) == ("RUNNING", 1)
    assert cluster.reserved == {ACCEPTANCE_RESERVATION: (NODE,)} and places.standby(of, work) == {NODE}


def test_a_job_that_is_back_on_the_node_is_left_there(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    job = killed_once_it_stopped(of, work, cluster)
    del cluster.reserved[RESERVATION]  # By a person, meanwhile; and Slurm takes the nodes that it had.
    cluster.reserved["other"] = ("h100-2",)
    later(cluster)
    assert (job.state, job.nodes) == ("RUNNING", BEFORE)
    del cluster.reserved["other"]
    with pytest.raises(UnprovenError, match="runs on h100-1 again") as back:
        run(of, work, cluster)
    assert back.value.code == "NOT_STOPPED" and job.state == "RUNNING"
    require_untouched(work, cluster)


def test_a_kill_before_the_restart_leaves_the_job_waiting_for_the_run_that_goes_on(
    of: Contract, work: Workspace, cluster: Cluster
) -> None:
    job = killed_once_it_stopped(of, work, cluster)
    later(cluster)
    assert job.state == "PENDING", "no two nodes are free: its own are kept for it"
    assert run(of, work, cluster).restarted
    require_swapped(work, cluster)
