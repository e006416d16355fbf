"""The crew's protocol as steps for the explorer, word by word as fastlstm/engine/threads/crew.py has it.

Callers with a job each, workers, and who stops the pool, perhaps interrupted by a signal. Crew "a" has the workers; the
one that a stop puts in its place, or a forked child gets, is empty.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.engine.threads.explorer import END, Broken, State, Step

PHASES, PORTIONS, SLOTS = 2, 2, 2


def begin(state: State, job: str, phase: int, portion: int) -> None:
    """A kernel runs: only in a call that has not returned, after all of the phase before, and once."""
    if not state.get(f"{job}.open"):
        raise Broken("a portion of a call that has returned")
    done = state[f"{job}.done"]
    if any((phase - 1, other) not in done for other in range(PORTIONS) if phase):
        raise Broken("a phase before the one in front of it")
    if (phase, portion) in state[f"{job}.begun"]:
        raise Broken("a portion twice")
    state[f"{job}.begun"] |= {(phase, portion)}


def member(number: int, after: str) -> dict[str, Step]:
    """`take_part`: the steps of who looks for work in the job that stands in `.job`, `.base` and `.crew`."""

    def look(s: State, me: str) -> str:
        s[f"{me}.phase"] = s[s[f"{me}.crew"] + ".phase"]
        return after if s[f"{me}.phase"] >= s[f"{me}.base"] + PHASES else "claim 0"

    def claim(turn: int) -> Step:
        portion, following = (number + turn) % PORTIONS, "await" if turn + 1 == PORTIONS else f"claim {turn + 1}"

        def step(s: State, me: str) -> str:
            word, phase = f"{s[f'{me}.crew']}.claim {portion}", s[f"{me}.phase"]
            if s[word] != phase:
                return following
            s[word] = phase + 1
            begin(s, s[f"{me}.job"], phase - s[f"{me}.base"], portion)
            return f"count {turn}"

        return step

    def count(turn: int) -> Step:
        def step(s: State, me: str) -> str:
            crew, job = s[f"{me}.crew"], s[f"{me}.job"]
            portion = (number + turn) % PORTIONS
            s[f"{job}.done"] |= {(s[f"{me}.phase"] - s[f"{me}.base"], portion)}
            s[crew + ".count"] += 1
            return (
                f"move {turn}"
                if s[crew + ".count"] == PORTIONS
                else "await"
                if turn + 1 == PORTIONS
                else f"claim {turn + 1}"
            )

        return step

    def move(turn: int) -> Step:
        def step(s: State, me: str) -> str:
            crew = s[f"{me}.crew"]
            s[crew + ".count"] = 0
            return f"moved {turn}"

        return step

    def moved(turn: int) -> Step:
        def step(s: State, me: str) -> str:
            s[s[f"{me}.crew"] + ".phase"] = s[f"{me}.phase"] + 1
            return "await" if turn + 1 == PORTIONS else f"claim {turn + 1}"

        return step

    def wait(s: State, me: str) -> str | None:
        return "look" if s[s[f"{me}.crew"] + ".phase"] > s[f"{me}.phase"] else None

    steps: dict[str, Step] = {"look": look, "await": wait}
    for turn in range(PORTIONS):
        steps |= {f"claim {turn}": claim(turn), f"count {turn}": count(turn)}
        steps |= {f"move {turn}": move(turn), f"moved {turn}": moved(turn)}
    return steps


def caller(job: str, workers: list[str]) -> dict[str, Step]:
    """`Engine.forward` and `perform`. Before "take" it is in Python, where signals and forks come."""

    def crew(s: State, me: str) -> str:
        s[f"{me}.crew"], s[f"{me}.job"] = s["pool"], job
        return "take"

    def take(s: State, me: str) -> str:
        s[f"{job}.open"] = True
        if s[s[f"{me}.crew"] + ".busy"]:
            return "alone"
        s[s[f"{me}.crew"] + ".busy"] = True
        return "retired?"

    def retired(s: State, me: str) -> str:
        if not s[s[f"{me}.crew"] + ".retired"]:
            return "claims"
        s[s[f"{me}.crew"] + ".busy"] = False
        return "alone"

    def alone(s: State, me: str) -> str:
        for phase in range(PHASES):
            for portion in range(PORTIONS):
                begin(s, job, phase, portion)
                s[f"{job}.done"] |= {(phase, portion)}
        return "return"

    def claims(s: State, me: str) -> str:
        held = s[f"{me}.crew"]
        s[f"{me}.base"] = s[held + ".phase"]
        for portion in range(PORTIONS):
            s[f"{held}.claim {portion}"] = s[f"{me}.base"]
        return "slot"

    def slot(s: State, me: str) -> str:
        held = s[f"{me}.crew"]
        s[f"{held}.slot {(s[held + '.epoch'] + 1) % SLOTS}.job"] = job
        return "slot, second half"

    def second_half(s: State, me: str) -> str:
        held = s[f"{me}.crew"]
        s[f"{held}.slot {(s[held + '.epoch'] + 1) % SLOTS}.base"] = s[f"{me}.base"]
        return "publish"

    def publish(s: State, me: str) -> str:
        s[s[f"{me}.crew"] + ".epoch"] += 1
        return f"wake {workers[0]}"

    def give_back(s: State, me: str) -> str:
        s[s[f"{me}.crew"] + ".busy"] = False
        return "return"

    def finish(s: State, me: str) -> str:
        if len(s[f"{job}.done"]) != PHASES * PORTIONS:
            raise Broken("a call returns before its work is done")
        s[f"{job}.open"] = False
        return END

    steps = {"crew": crew, "take": take, "retired?": retired, "alone": alone, "claims": claims, "slot": slot}
    steps |= {"slot, second half": second_half, "publish": publish, "give back": give_back, "return": finish}
    return steps | wake(workers, "look") | member(0, "give back")


def wake(workers: list[str], after: str) -> dict[str, Step]:
    """Turn `ASLEEP` from 1 to 0 and post, worker by worker, where there are any."""
    steps: dict[str, Step] = {}
    for worker, following in zip(workers, [*[f"wake {other}" for other in workers[1:]], after], strict=True):

        def step(s: State, me: str, worker: str = worker, following: str = following) -> str:
            if s.get(f"{me}.crew", "a") == "a" and s[f"{worker}.asleep"]:
                s[f"{worker}.asleep"] = False
                s[f"{worker}.semaphore"] += 1
            return following

        steps[f"wake {worker}"] = step
    return steps


def worker(number: int) -> dict[str, Step]:
    """The life of a worker of crew "a"."""

    def spin(s: State, me: str) -> list[str]:
        return ["read"] if s["a.epoch"] != s[f"{me}.seen"] else ["fall asleep"]

    def fall_asleep(s: State, me: str) -> str:
        s[f"{me}.asleep"] = True
        return "look again"

    def look_again(s: State, me: str) -> str:
        return "sleep" if s["a.epoch"] == s[f"{me}.seen"] else "stay awake"

    def stay_awake(s: State, me: str) -> str:
        if not s[f"{me}.asleep"]:
            return "sleep"  # another has turned it: its post is coming
        s[f"{me}.asleep"] = False
        return "spin"

    def sleep(s: State, me: str) -> str | None:
        if not s[f"{me}.asleep"]:
            return "spin"
        if not s[f"{me}.semaphore"]:
            return None
        s[f"{me}.semaphore"] -= 1
        return "sleep"

    def read(s: State, me: str) -> str:
        s[f"{me}.epoch"] = s["a.epoch"]
        s[f"{me}.job"] = s[f"a.slot {s['a.epoch'] % SLOTS}.job"]
        return "read, second half"

    def second_half(s: State, me: str) -> str:
        s[f"{me}.base"] = s[f"a.slot {s[f'{me}.epoch'] % SLOTS}.base"]
        return "whole?"

    def whole(s: State, me: str) -> str:
        if s["a.epoch"] != s[f"{me}.epoch"]:
            return "spin"
        s[f"{me}.seen"] = s[f"{me}.epoch"]
        return END if s[f"{me}.job"] == "stop" else "look"

    steps = {"spin": spin, "fall asleep": fall_asleep, "look again": look_again, "stay awake": stay_awake}
    steps |= {"sleep": sleep, "read": read, "read, second half": second_half, "whole?": whole}
    return steps | member(number, "spin")


def stopper(workers: list[str], interrupted: bool) -> dict[str, Step]:
    """`Pool.stop`; `interrupted`: an exception of a signal's handler may end it between any two lines of Python."""

    def lock(s: State, me: str) -> str | None:
        if s["lock"]:
            return None
        s["lock"] = True
        return "keep"

    def ways(place: str) -> list[str]:
        return [place, "unlock"] if interrupted else [place]

    def keep(s: State, me: str) -> list[str]:
        s["old"] = (*s["old"], s["pool"])
        return ways("replace")

    def replace(s: State, me: str) -> list[str]:
        s["pool"] = "b"
        return ways("dismiss")

    def dismiss(s: State, me: str) -> str:
        if not s["old"]:
            return "unlock"
        s[f"{me}.crew"] = s["old"][-1]
        if s[s["old"][-1] + ".retired"]:
            return "dismissed"
        s[s["old"][-1] + ".retired"] = True
        return "hold"

    def hold(s: State, me: str) -> str | None:
        crew = s[f"{me}.crew"]
        if s[crew + ".busy"]:
            return None
        s[crew + ".busy"] = True
        return "stop job"

    def stop_job(s: State, me: str) -> str:
        crew = s[f"{me}.crew"]
        s[f"{crew}.slot {(s[crew + '.epoch'] + 1) % SLOTS}.job"] = "stop"
        return "publish"

    def publish(s: State, me: str) -> str:
        s[s[f"{me}.crew"] + ".epoch"] += 1
        return f"wake {workers[0]}"

    def join(s: State, me: str) -> str | None:
        return "dismissed" if s[f"{me}.crew"] != "a" or all(s[worker] == END for worker in workers) else None

    def dismissed(s: State, me: str) -> list[str]:
        s["old"] = s["old"][:-1]
        return ways("dismiss")

    def unlock(s: State, me: str) -> str:
        s["lock"] = False
        return END

    steps = {"lock": lock, "keep": keep, "replace": replace, "dismiss": dismiss, "hold": hold, "stop job": stop_job}
    steps |= {"publish": publish, "join": join, "dismissed": dismissed, "unlock": unlock}
    return steps | wake(workers, "join")


def first(programs: Iterable[str], workers: list[str]) -> State:
    """Before anything happens: crew "a" with its workers, awake or asleep as they like."""
    state: State = {"pool": "a", "lock": False, "old": ()}
    for crew in "ab":
        state |= {f"{crew}.busy": False, f"{crew}.retired": False, f"{crew}.epoch": 0, f"{crew}.phase": 0}
        state |= {f"{crew}.count": 0} | {f"{crew}.claim {portion}": 0 for portion in range(PORTIONS)}
        state |= {f"{crew}.slot {parity}.job": None for parity in (0, 1)}
        state |= {f"{crew}.slot {parity}.base": 0 for parity in (0, 1)}
    for job in ("job 1", "job 2"):
        state |= {f"{job}.open": False, f"{job}.begun": frozenset(), f"{job}.done": frozenset()}
    for worker in workers:
        state |= {f"{worker}.asleep": False, f"{worker}.semaphore": 0, f"{worker}.seen": 0, f"{worker}.crew": "a"}
    starts = {"caller": "crew", "worker": "spin", "stop": "lock"}
    return state | {name: starts[name.split()[0]] for name in programs}


def owes(state: State, process: str) -> bool:
    """Callers and stops must end. A worker owes a step only between a claim and the end of its phase's count, or when
    it is to end: whatever else it does, a thread that is not running may never do."""
    if not process.startswith("worker"):
        return True
    return state[process].startswith(("count", "move")) or state["a.retired"]


def forked(state: State) -> Iterable[State]:
    """The children of a fork by a caller that is in Python: it alone goes on, with an empty crew in the pool.

    What it holds in its hand already, it keeps: the parent's crew, whose other threads are gone.
    """
    for process in ("caller 1", "caller 2"):
        if state.get(process) in ("crew", "take") and not state.get("child"):
            others = [name for name in state if name.startswith(("caller", "worker", "stop")) and "." not in name]
            child = state | dict.fromkeys(others, END) | {process: state[process], "child": True}
            yield (
                child
                | {"pool": "b", "lock": False, "old": ()}
                | {f"b.{word}": value for word, value in (("busy", False), ("retired", False))}
            )
