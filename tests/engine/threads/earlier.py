"""The protocol before this one, as steps for the explorer, and four faults that it had.

A pool owned one control block with mailboxes for its workers; a call looked whether there were workers and then read
the block's address, a stop put a block without mailboxes in its place, workers were noted after they ran, and two locks
were held over Python code.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.engine.threads.explorer import END, Broken, State, Step


def caller(interrupted: bool = False, finaliser: bool = False) -> dict[str, Step]:
    """`Pool.start`, then `run_tasks` with one worker, then the plan given back under the engine's lock.

    interrupted: a signal's exception may come while a worker is started; the call is then made again. finaliser: the
    cycle collector may find a plan to give back while the engine's lock is held.
    """

    def start(s: State, me: str) -> str:
        return "address" if s["known"] else "lock"

    def lock(s: State, me: str) -> str | None:
        if s["pool lock"]:
            return None
        s["pool lock"] = True
        return "hire" if not s["known"] else "unlock"

    def hire(s: State, me: str) -> list[str]:
        if not s[f"{s['block']}.mailboxes"]:
            s["block"] = "new block"
        idle = next(worker for worker in ("worker 1", "worker 2") if s[worker] == "unborn")
        s[idle], s[f"{idle}.block"], s[f"{idle}.seen"] = "wait", s["block"], 0
        return ["note", "interrupt"] if interrupted and not s["struck"] else ["note"]

    def interrupt(s: State, me: str) -> str:
        s["struck"], s["pool lock"] = True, False
        return "start"

    def note(s: State, me: str) -> str:
        s["known"] = True
        return "unlock"

    def unlock(s: State, me: str) -> str:
        s["pool lock"] = False
        return "address"

    def address(s: State, me: str) -> str:
        s[f"{me}.block"] = s["block"]
        return "take"

    def take(s: State, me: str) -> str:
        block = s[f"{me}.block"]
        if s[f"{block}.busy"]:
            return "give back"  # alone
        s[f"{block}.busy"], s[f"{block}.done"] = True, 0
        return "post"

    def post(s: State, me: str) -> str:
        if not s[f"{s[f'{me}.block']}.mailboxes"]:
            raise Broken("writes behind the control block")
        s[f"{s[f'{me}.block']}.posted"] += 1
        return "wait"

    def wait(s: State, me: str) -> str | None:
        block = s[f"{me}.block"]
        if not s[f"{block}.done"]:
            return None
        s[f"{block}.busy"] = False
        return "give back"

    def give_back(s: State, me: str) -> str | None:
        if s["engine lock"]:
            return None
        s["engine lock"] = True
        return "collect" if finaliser else "leave"

    def collect(s: State, me: str) -> list[str]:
        return ["leave", "finaliser"]

    def in_finaliser(s: State, me: str) -> str | None:
        return None if s["engine lock"] else "leave"

    def leave(s: State, me: str) -> str:
        s["engine lock"] = False
        return END

    steps = {"start": start, "lock": lock, "hire": hire, "interrupt": interrupt, "note": note, "unlock": unlock}
    steps |= {"address": address, "take": take, "post": post, "wait": wait, "give back": give_back}
    return steps | {"collect": collect, "finaliser": in_finaliser, "leave": leave}


def worker(s: State, me: str) -> str | None:
    """Every post is a job; it is done once by each who waits at the mailbox."""
    block = s[f"{me}.block"]
    if s[f"{block}.posted"] == s[f"{me}.seen"]:
        return None
    s[f"{me}.seen"] += 1
    if s[f"{block}.stopped"]:
        return END
    s[f"{block}.done"] += 1
    if s[f"{block}.done"] > 1:
        raise Broken("a portion twice")
    return "wait"


def stop() -> dict[str, Step]:
    """`Pool.stop`: the old block is taken for ever, the new one has no mailboxes and is free to be taken."""

    def lock(s: State, me: str) -> str | None:
        if s["pool lock"]:
            return None
        s["pool lock"] = True
        return "retire"

    def retire(s: State, me: str) -> str | None:
        if s[f"{s['block']}.busy"]:
            return None
        s[f"{s['block']}.busy"] = s[f"{s['block']}.stopped"] = True
        s[f"{s['block']}.posted"] += 1
        return "replace"

    def replace(s: State, me: str) -> str:
        s["block"], s["known"] = "empty block", False
        return "unlock"

    def unlock(s: State, me: str) -> str:
        s["pool lock"] = False
        return END

    return {"lock": lock, "retire": retire, "replace": replace, "unlock": unlock}


def first(names: Iterable[str], hired: bool = True) -> State:
    """A pool with a worker, or with none yet."""
    state: State = {"block": "block", "known": hired, "pool lock": False, "engine lock": False, "struck": False}
    for block in ("block", "empty block", "new block"):
        state |= {f"{block}.busy": False, f"{block}.done": 0, f"{block}.posted": 0, f"{block}.stopped": False}
        state[f"{block}.mailboxes"] = block != "empty block"
    state |= {"worker 1": "wait" if hired else "unborn", "worker 1.block": "block", "worker 1.seen": 0}
    state |= {"worker 2": "unborn"}
    return state | {name: "lock" if name == "stop" else "start" for name in names if not name.startswith("worker")}


WORKERS = {name: {"wait": worker, "unborn": lambda s, me: None} for name in ("worker 1", "worker 2")}


def owes(state: State, process: str) -> bool:
    """Callers and stops must end, and all threads run: a worker must do what is posted to it."""
    if not process.startswith("worker"):
        return True
    return state[process] == "wait" and state[f"{state[f'{process}.block']}.posted"] != state[f"{process}.seen"]


def forked(state: State) -> Iterable[State]:
    """The child of a fork by the first caller, before its call, beside whatever the others are at."""
    if state["caller 1"] == "start" and not state.get("child"):
        others = dict.fromkeys(("caller 2", "worker 1", "worker 2"), END)
        # The pool forgot its workers and its lock in the child; the engine's lock nobody thought of.
        fresh = {"known": True, "pool lock": False, "caller 1": "give back"}
        yield state | others | fresh | {"child": True}
