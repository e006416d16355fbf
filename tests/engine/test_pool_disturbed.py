"""The thread pool among forks, signals, missing threads and the end of the process; a process for each case."""

import textwrap

import children
import pytest
from pool_programs import PRELUDE, run


def test_a_fork_after_use_makes_its_own_workers():
    run("""
        for _ in range(3):
            child = os.fork()
            if child == 0:
                assert not workers()
                check(ask(lstm, x))
                assert len(workers()) == 1
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        check(ask(lstm, x))
    """)


def test_a_fork_while_another_thread_computes():
    run("""
        stop = threading.Event()
        def busy():
            mine = layer()
            while not stop.is_set():
                ask(mine, x)
        worker = threading.Thread(target=busy)
        worker.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                check(ask(layer(), x))
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        worker.join()
    """)


def test_a_fork_while_another_thread_compiles():
    """Numba's lock is free in the child, whose own first calls of another type compile or load."""
    run("""
        import numba
        # Numba's registry is locked while its first function sets it up (numba.core.registry), and no fork waits for
        # that lock. What this library compiles first does so behind the store's, for which forks wait.
        numba.njit(lambda x: x)(1)
        stop = threading.Event()
        def compile():
            while not stop.is_set():
                numba.njit(lambda x: x + 1)(1)
        thread = threading.Thread(target=compile)
        thread.start()
        for _ in range(3):
            child = os.fork()
            if child == 0:
                assert numba.njit(lambda x: x * 3)(2) == 6
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
        check(ask(lstm, x))
    """)


def test_a_fork_while_another_thread_packs_weights():
    """The lock of packing and the plans are free in the child; what was half packed is packed again."""
    run("""
        stop = threading.Event()
        mine = layer()
        def pack():
            while not stop.is_set():
                mine.load_state_dict(mine.state_dict())
                ask(mine, x)
        thread = threading.Thread(target=pack)
        thread.start()
        for _ in range(30):
            child = os.fork()
            if child == 0:
                mine.load_state_dict(lstm.state_dict())
                check(ask(mine, x))
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
    """)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        PRELUDE
        + textwrap.dedent(f"""
        import multiprocessing

        def work(_):
            return ask(layer(), x)

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as processes:
                for output in processes.map(work, range(4)):
                    check(output)
    """)
    )
    done = children.python(str(program))
    assert (done.returncode, done.stderr) == (0, "")


def test_inside_a_torch_data_loader():
    run("""
        import torch
        class Data(torch.utils.data.Dataset):
            def __len__(self):
                return 4
            def __getitem__(self, n):
                return torch.from_numpy(ask(lstm, x))
        for output in torch.utils.data.DataLoader(Data(), num_workers=2, batch_size=None):
            check(output.numpy())
    """)


def test_an_interrupt_gets_through():
    """Python's handler is put in place: where the tests run in a shell's background, SIGINT is ignored."""
    run("""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        train = fastlstm.LSTM(32, 128, seed=1)
        def press():
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=press, daemon=True).start()
        try:
            while True:
                ask(train, x)
        except KeyboardInterrupt:
            pass
        check(ask(lstm, x))
    """)


def test_an_exception_of_a_handler_in_the_middle_of_giving_a_plan_back():
    """A dropped training call brings its plan back with no code of Python's, where a signal could be lost."""
    run("""
        train = fastlstm.LSTM(32, 128, seed=1)
        def strike(number, frame):
            raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, strike)
        for number in range(200):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001 + number * 1e-5)  # once
                while True:
                    train(x)
            except KeyboardInterrupt:
                pass
        check(ask(lstm, x))
    """)


def test_where_no_thread_can_be_made_the_caller_does_it_all():
    run("""
        import resource
        limit = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (resource.getpagesize(), limit[1]))
        assert POOL.crew(8).workers < 7
        resource.setrlimit(resource.RLIMIT_AS, limit)
        fastlstm.set_num_threads(8)
        assert np.allclose(ask(lstm, x), truth, atol=1e-6)
        assert POOL.crew(8).workers == len(workers()) == 7, "the next call asks again"
    """)


def test_the_process_ends_while_a_thread_computes():
    run("""
        def forever():
            while True:
                ask(lstm, x)
        threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.2)
    """)
