"""The tortures: for each a program that must end well, say nothing on stderr, and not stand still.

SEED is set in it; what it draws, it draws from that.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

PRELUDE = """
import faulthandler, gc, itertools, os, random, signal, sys, threading, time
start = time.perf_counter()
for _ in range(2_000_000):
    pass
# Against what stands still: so far beyond any run that it says nothing about speed, and further on a slower machine.
LIMIT = 120 * max(1.0, (time.perf_counter() - start) / 0.05)
faulthandler.enable()
faulthandler.register(signal.SIGALRM, chain=True)  # no thread of its own, for which forked children would wait
signal.alarm(int(LIMIT))
import numpy as np
import fastlstm

draw = random.Random(SEED)

def layer(kind="LSTM", **options):
    return getattr(fastlstm, kind)(32, 128, seed=1, **options)

x = np.random.default_rng(0).standard_normal((20, 16, 32)).astype(np.float32)

def ask(lstm):
    return lstm(x)[0]

def learn(lstm):
    lstm.zero_grad()
    grad_x, _ = lstm.backward(np.ones_like(ask(lstm)))
    return grad_x, dict(lstm.grad)

def near(found, due):
    assert np.allclose(found, due, rtol=1e-4, atol=1e-5), np.abs(found - due).max()

fastlstm.set_num_threads(2)
"""


@dataclass(frozen=True)
class Trial:
    """`tries` processes of `body`. `fault` is what it was written for, in words."""

    name: str
    what: str
    fault: str
    tries: int
    body: str


def program(trial: Trial, seed: int) -> str:
    """The source of one try."""
    folder = repr(str(Path(__file__).parent))
    return f"SEED = {seed}\nimport sys; sys.path.insert(0, {folder})\n{PRELUDE}\n{textwrap.dedent(trial.body)}"


_ALL = [
    Trial(
        "exit", "fifty processes end while their daemon threads compute",
        "the pool was stopped at exit while calls held its block: heap overflow, endless wait", 20, """
        def forever(lstm):
            while True:
                learn(lstm) if draw.random() < 0.5 else ask(lstm)
        learn(layer())  # what is imported and compiled here, each child has
        for number in range(50):
            child = os.fork()
            if child == 0:
                signal.alarm(int(LIMIT / 2))
                draw.seed(50 * SEED + number)
                for _ in range(draw.choice([1, 2, 3])):
                    threading.Thread(target=forever, args=(layer(),), daemon=True).start()
                time.sleep(draw.random() * 0.3)
                break  # and ends as every program does
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert code == 0, f"child {number} ended with {code}"
        """,
    ),
    Trial(
        "fork", "ten forks beside threads that train; each child computes and compares",
        "a child hung in its first call where another thread held a lock of the engine at the fork", 20, """
        model, stop = layer(), threading.Event()
        due = ask(model)
        def train():
            rng = np.random.default_rng(SEED)
            while not stop.is_set():
                own = layer()
                for steps in rng.integers(1, 30, 5):
                    own.zero_grad()
                    out = own(np.ascontiguousarray(x[:1].repeat(int(steps), axis=0)))[0]
                    own.backward(out)
                    own._version += 1  # as an optimiser's step: the weights are packed again
                    model._version += 1
                    ask(model)
        threads = [threading.Thread(target=train) for _ in range(2)]
        [thread.start() for thread in threads]
        for _ in range(10):
            time.sleep(draw.random() * 0.02)
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    signal.alarm(int(LIMIT / 2))
                    near(ask(model), due)
                    near(ask(layer()), due)
                    learn(layer())
                    code = 0
                finally:
                    os._exit(code)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert code == 0, f"a child ended with {code}"
        stop.set()
        [thread.join() for thread in threads]
        """,
    ),
    Trial(
        "interrupt", "an exception in the n-th event in the library's Python, or in threading's, during a first call",
        "a worker that the pool did not know: wrong results, hang at exit", 200, """
        class Stop(Exception):
            pass

        def interrupted(call, number):
            count = itertools.count()
            def look(frame, event, argument):
                name = frame.f_code.co_filename
                if ("fastlstm" in name or name.endswith("threading.py")) and frame.f_code.co_name != "_bootstrap":
                    if next(count) == number:
                        sys.setprofile(None)
                        raise Stop
            sys.setprofile(look)
            try:
                call()
            except Stop:
                return True
            finally:
                sys.setprofile(None)
            return False

        from fastlstm.engine.pool import POOL
        big = np.tile(x, (10, 1, 1))
        due = layer()(big)[0]
        POOL.stop()
        for number in range(SEED, 4000, 200):
            own = layer()
            if not interrupted(lambda: own.backward(own(big)[0]), number):
                break
            for _ in range(5):
                near(own(big)[0], due)
            if number % 3 == 0:
                POOL.stop()
        """,
    ),
    Trial(
        "growth", "threads compute while others stop the pool and change the number of threads",
        "a call took the address of a block without mailboxes: heap overflow", 60, """
        from fastlstm.engine.pool import POOL
        due, stop, wrong = ask(layer()), threading.Event(), []
        def work():
            own = layer()
            while not stop.is_set():
                try:
                    near(ask(own), due)
                except BaseException as error:
                    wrong.append(error)
                    return
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        for _ in range(60):
            fastlstm.set_num_threads(draw.choice([1, 2, 3, 5, 8, 17]))
            if draw.random() < 0.5:
                POOL.stop()
            time.sleep(draw.random() * 0.01)
        stop.set()
        [thread.join() for thread in threads]
        assert not wrong, wrong[0]
        """,
    ),
    Trial(
        "collector", "the cycle collector ends what a forward has saved, at any line",
        "one thread waited for itself: a `Saved` was finalised inside the engine's lock", 20, """
        lstm = fastlstm.LSTM(3, 5, seed=SEED)
        gc.disable()
        gc.freeze()  # a collection looks at what is made from here on: fast enough for every line
        def lost():
            lstm(np.zeros((draw.randint(1, 400), 2, 3), np.float32))  # a shape that the engine keeps no plan of
            ring = [lstm.tape]
            ring.append(ring)
            lstm.tape = None
        for _ in range(150):
            lost()
            steps = draw.randint(1, 400)
            x = np.zeros((steps, 2, 3), np.float32)
            skip = draw.randint(0, 1500)
            seen = itertools.count()
            def late(frame, event, argument):
                if "fastlstm" not in frame.f_code.co_filename:
                    return None
                if event == "line" and next(seen) == skip:
                    gc.collect()
                return late
            sys.settrace(late)
            lstm(x)
            lstm.backward(np.zeros((steps, 2, 5), np.float32))
            sys.settrace(None)
        """,
    ),
    Trial(
        "no-threads", "no memory for a thread's stack, always or now and then",
        "every call raised \"can't start new thread\" where one thread would do", 10, """
        import resource
        def allow(more):  # a thread wants 8 MB for its stack, a call less than one
            size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + more, resource.RLIM_INFINITY))
        from fastlstm.engine.pool import POOL
        due = ask(layer())
        learn(layer())  # all is compiled
        POOL.stop()
        fewer = 0
        for count in (2, 4, 2, 8, 3, 8, 6, 4):
            fastlstm.set_num_threads(count)
            if SEED % 2 == 0 or draw.random() < 0.5:
                allow(6 << 20)
            for _ in range(5):
                near(ask(layer()), due)
                learn(layer())
            fewer += POOL.crew(count).workers < count - 1
            allow(1 << 40)
            if draw.random() < 0.3:
                POOL.stop()
        assert fewer or SEED % 2, "threads were made all the same"
        """,
    ),
    Trial(
        "layers", "ten thousand layers made, used and dropped keep no memory",
        "45 KB stayed for each, 90 with a backward", 2, """
        def resident():
            gc.collect()
            return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        def use(count):
            for n in range(count):
                own = fastlstm.LSTM(3 + n % 5, 4 + n % 7, dtype=[np.float32, np.float64][n % 2])
                out, _ = own(np.zeros((3, 2, own.config.input_size), own.dtype))
                own.backward(out)
        use(100)
        before = resident()
        use(LAYERS)
        grown = resident() - before
        assert grown < 512 * LAYERS, f"{grown / LAYERS / 1024:.1f} KB for each of {LAYERS} layers"
        """.replace("LAYERS", "10000"),
    ),
    Trial(
        "bits", "the same call on the same number of threads has the same bits, whoever else computes",
        "the order of sums followed who was awake: other last bits in a third of the backward calls", 10, """
        options = {"num_layers": draw.choice([1, 2]), "bidirectional": draw.random() < 0.5}
        kind = draw.choice(["LSTM", "GRU", "RNN"])
        x = np.random.default_rng(0).standard_normal((20, draw.choice([1, 3, 16]), 32)).astype(np.float32)
        def burn(seconds):
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                pass
        def other():
            own = layer()
            while True:
                ask(own)
                time.sleep(draw.random() * 0.003)
        for _ in range(2):
            threading.Thread(target=other, daemon=True).start()
        lstm, seen = layer(kind, **options), set()
        for n in range(150):
            grad_x, grads = learn(lstm)
            seen.add((grad_x.tobytes(), *(grads[name].tobytes() for name in sorted(grads))))
            burn(draw.random() * 0.004)
        assert len(seen) == 1, f"{len(seen)} results of one call"
        """,
    ),
    Trial(
        "guard", "every array begins or ends at a page that must not be touched", "", 100,
        "from guard import configurations\nconfigurations(SEED, 20)",
    ),
]  # fmt: skip

TRIALS = {trial.name: trial for trial in _ALL}
