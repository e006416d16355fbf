"""The thread pool: who works, who sleeps, and that the numbers are the same; a process for each case."""

import os

import pytest
from pool_programs import run

from fastlstm.engine import pool


def test_the_harness_sees_a_wrong_result():
    with pytest.raises(AssertionError):
        run("check(truth + 1)")


def test_eight_python_threads_at_once_on_one_layer():
    run("""
        wrong = []
        def many():
            for _ in range(100):
                if not np.array_equal(ask(lstm, x), truth):
                    wrong.append(1)
        threads = [threading.Thread(target=many) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert not wrong
    """)


def test_sixteen_threads_in_each_of_four_processes():
    run("""
        fastlstm.set_num_threads(16)
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                mine = layer()
                for _ in range(20):
                    assert np.allclose(ask(mine, x), truth, atol=1e-6)
                os._exit(0)
            children.append(child)
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    """)


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_beside_numbas_own_threads(layer):
    run(f"""
        import numba
        numba.config.THREADING_LAYER = "{layer}"
        @numba.njit(parallel=True)
        def total(values):
            sums = 0.0
            for n in numba.prange(values.size):
                sums += values[n]
            return sums
        for _ in range(50):
            assert total(np.ones(1000)) == 1000
            check(ask(lstm, x))
        assert numba.threading_layer() == "{layer}"
    """)


def test_idle_workers_cost_nothing():
    out = run("""
        time.sleep(0.1)
        before = time.process_time()
        time.sleep(1.0)
        print(time.process_time() - before)
    """)
    assert float(out) < 0.02  # seconds of processor in one of the clock; a spinning worker takes 1.0


def test_little_work_wakes_nobody_until_it_keeps_coming():
    run("""
        from fastlstm.engine.threads.control import ASLEEP, MAIL, MISSED
        from fastlstm.engine.threads.crew import MISSES
        control = POOL.crew(2).control
        step = x[:1, :1].copy()
        truth = ask(lstm, step)
        time.sleep(0.1)
        control[MISSED] = 0
        asleep = lambda: control[MAIL + ASLEEP]
        assert asleep() == 1
        for _ in range(MISSES - 1):
            check(ask(lstm, step))
            assert asleep() == 1, "one step of 16 us is done alone"
        check(ask(lstm, step))
        assert asleep() == 0, "the next may have company"
        check(ask(lstm, step))
        time.sleep(0.1)
        assert asleep() == 1
        ran = lambda: int(Path(f"/proc/self/task/{workers()[0]}/schedstat").read_text().split()[0])
        before = ran()
        check(ask(lstm, step))
        assert ran() == before
        ask(lstm, np.tile(x, (40, 1, 1)))
        time.sleep(0.1)
        assert ran() > before, "much work wakes it at once"
    """)


@pytest.mark.skipif(pool.cores() < 2 or not hasattr(os, "sched_setaffinity"), reason="a worker has nowhere to go")
def test_a_worker_leaves_its_callers_cpu():
    run("""
        here, there = sorted(os.sched_getaffinity(0))[:2]
        worker, = workers()
        cpu = lambda: int(open(f"/proc/self/task/{worker}/stat").read().rpartition(")")[2].split()[36])
        os.sched_setaffinity(0, {here})
        def soon(holds):
            # a worker that is late for a call takes part in a later one; nobody waits for it
            for _ in range(5000):
                check(ask(lstm, x))
                time.sleep(0.001)
                if holds():
                    return True
        def stays():
            # said each time: a worker that just steps aside gives itself back the CPUs that it had before
            os.sched_setaffinity(worker, {here})
            return cpu() == here and os.sched_getaffinity(worker) == {here}
        for _ in range(5):
            assert soon(stays), "nowhere else"
            os.sched_setaffinity(worker, {here, there})
            assert soon(lambda: cpu() == there), "it steps aside"
            assert soon(lambda: os.sched_getaffinity(worker) == {here, there}), "and is free to move"
    """)


def test_the_same_bits_whoever_is_awake():
    """A worker held back on purpose: portions all by the caller, some by each, and the pool taken by another caller."""
    run("""
        train = fastlstm.LSTM(32, 100, seed=1)
        def learn():
            output, _ = train(x)
            grad_x, _ = train.backward(output)
            grads = [output, grad_x, *[train.grad[name].copy() for name in sorted(train.grad)]]
            train.zero_grad()
            return grads
        first = learn()
        control = POOL.crew(2).control
        def same():
            return all(np.array_equal(a, b) for a, b in zip(first, learn()))
        worker, = workers()
        here = min(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {here})
        os.sched_setaffinity(worker, {here})  # it runs only where the caller waits
        assert all(same() for _ in range(20))
        from fastlstm.engine.threads.control import BUSY
        control[BUSY] = 1  # as another caller does
        assert all(same() for _ in range(5))
        control[BUSY] = 0
        here, hogs = os.getpid(), []
        for _ in range(3):
            hogs.append(os.fork())
            while hogs[-1] == 0 and os.getppid() == here:
                pass
            if hogs[-1] == 0:
                os._exit(0)
        try:
            assert all(same() for _ in range(30))
        finally:
            for hog in hogs:
                os.kill(hog, signal.SIGKILL)
    """)


def test_a_thousand_layers_leave_nothing():
    """Made, used with a backward, and dropped: what is kept does not grow with them."""
    run("""
        import gc
        small = np.zeros((2, 1, 3), np.float32)
        def use(count):
            for _ in range(count):
                one = fastlstm.GRU(3, 5)
                output, _ = one(small)
                one.backward(output)
        def resident():
            gc.collect()
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        use(100)
        before = resident()
        use(1000)
        assert resident() - before < 2_000_000  # 90 KB each, it was 90 MB
    """)


def test_stopping_and_more_threads_and_fewer():
    run("""
        for count in (1, 5, 2, 8, 1, 3):
            fastlstm.set_num_threads(count)
            assert np.allclose(ask(lstm, x), truth, atol=1e-6)
        assert len(workers()) == 7
        POOL.stop()
        assert not workers()
        fastlstm.set_num_threads(2)
        check(ask(lstm, x))
    """)


def test_the_cgroups_quota_counts(monkeypatch, tmp_path):
    """2.5 CPUs of a quota leave two threads, a fifth of one leaves one, `max` leaves the affinity mask."""
    real = pool.Path

    def granting(text):
        (tmp_path / "cpu.max").write_text(text)
        monkeypatch.setattr(
            pool,
            "Path",
            lambda name: real(tmp_path / "cpu.max" if name == "/sys/fs/cgroup/cpu.max" else tmp_path / "no"),
        )
        return pool.cores()

    monkeypatch.setattr(pool.os, "sched_getaffinity", lambda _: set(range(8)))
    assert granting("250000 100000") == 2
    assert granting("20000 100000") == 1
    assert granting("max 100000") == 8
