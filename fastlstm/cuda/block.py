"""What the blocks of a sequence kernel do together: multiply, wait, and find where things stand in time."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cuda.shim import SIMULATED, cuda_module
from fastlstm.cuda.tile import QUAD, Tile

cuda = cuda_module()

# Every index of a kernel goes through this. A signed one could count from the end: Numba adds five instructions for
# that to each load, three times as many as there are multiply-adds, and no load is known to be aligned any more.
at = int if SIMULATED else types.uint64

# Bytes to which shared memory is aligned: loads of 16 need it. Simulators know no alignment.
ALIGNMENT = 16


@cuda.jit(device=True)
def time_of(s, T, backwards):
    """The time step that a direction processes as its s-th."""
    return T - 1 - s if backwards else s


@cuda.jit(device=True)
def cut(reset, counts, s, b, T, backwards):
    """Whether `reset` keeps sample b's state from entering the s-th processed step.

    reset[t] cuts between the steps t - 1 and t, whichever way the direction crosses it. An empty `reset` cuts nothing.
    """
    t = T - s if backwards else s
    return t < reset.shape[0] and b < counts[at(t)] and reset[at(t), at(b)]


@cuda.jit(device=True)
def wait(arrived, group, target):
    """Returns when the blocks of a group have arrived `target` times together; what they wrote before can be read.

    The fences stand where those of cooperative groups do: the block's barrier makes one thread's fence good for all.
    A group is most often a part of the grid, and its counter is touched by its members alone.
    """
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        cuda.threadfence()
        cuda.atomic.add(arrived, group, 1)
        while cuda.atomic.add(arrived, group, 0) < target:
            pass
        cuda.threadfence()
    cuda.syncthreads()


@cache
def product(tile: Tile, dtype: str) -> tuple[Any, Any]:
    """Device functions (load, multiply) of one block's part of a step's product.

    load(shared, base, w, d, unit0, H, K): the block's weights, where they are resident, to shared[base ...], in fours.
    w: (D, K, gates*H); zeros for units from H on.

    multiply(shared, base, w, a, d, row0, apart, count, unit0, H, K) -> where in `shared` the sums stand:
    sums[r*samples + s] = sum over k of a[d, row0 + s*apart, k] * w[d, k, r], r = gate*units + unit. Samples from
    `count` on are not read. Where the weights are resident, `load` was called before.
    """
    number = getattr(types, dtype)
    zero = number(0)
    R, U, S, RT, ST = tile.rows, tile.units, tile.samples, tile.tile_rows, tile.tile_samples
    RG, SG, KS, THREADS = tile.row_threads, tile.sample_threads, tile.depth_threads, tile.threads
    DEPTH, BUFFERS, RESIDENT = tile.depth, tile.buffers, tile.resident
    LD, INPUTS_LD, PARTIAL_LD, PASSING = tile.weights_ld, tile.inputs_ld, tile.partial_ld, tile.passing
    ACCUMULATORS, OUTPUTS, WEIGHTS, QUADS = RT * ST, R * S, QUAD * RT, DEPTH // QUAD
    INPUTS_HELD, WEIGHTS_HELD = tile.inputs_held, tile.weights_held
    HELD = max(1, QUAD * WEIGHTS_HELD)

    @cuda.jit(device=True)
    def read(held, first, w, d, k, r, unit0, H, K):
        """held[first ...]: four k of row r, of which the threads next to each other have the next."""
        unit = unit0 + r % U
        for e in range(QUAD):
            there = unit < H and k + e < K
            held[first + e] = w[at(d), at(k + e), at(r // U * H + unit)] if there else zero

    @cuda.jit(device=True)
    def load(shared, base, w, d, unit0, H, K):
        four = cuda.local.array(QUAD, number)
        for i in range(cuda.threadIdx.x, (K + QUAD - 1) // QUAD * R, THREADS):
            q = i // R
            read(four, 0, w, d, q * QUAD, i - q * R, unit0, H, K)
            for e in range(QUAD):
                shared[at((base + q * LD + i - q * R) * QUAD + e)] = four[e]

    @cuda.jit(device=True)
    def fetch_inputs(held, a, d, row0, apart, count, k0, K):
        """DEPTH columns of `count` rows of a, on their way into registers; zeros for the rest."""
        for i in range(INPUTS_HELD):
            element = cuda.threadIdx.x + i * THREADS
            s, k = element // DEPTH, k0 + element % DEPTH
            held[i] = a[at(d), at(row0 + s * apart), at(k)] if s < count and k < K else zero

    @cuda.jit(device=True)
    def put_inputs(held, shared, inputs):
        for i in range(INPUTS_HELD):
            element = cuda.threadIdx.x + i * THREADS
            s, k = element // DEPTH, element % DEPTH
            if s < S:
                shared[at(inputs + (k // QUAD * INPUTS_LD + s) * QUAD + k % QUAD)] = held[i]

    @cuda.jit(device=True)
    def fetch_weights(held, w, d, unit0, H, k0, K):
        for i in range(WEIGHTS_HELD):
            element = cuda.threadIdx.x + i * THREADS
            q = element // R
            if q < QUADS:
                read(held, i * QUAD, w, d, k0 + q * QUAD, element - q * R, unit0, H, K)

    @cuda.jit(device=True)
    def put_weights(held, shared, weights):
        for i in range(WEIGHTS_HELD):
            element = cuda.threadIdx.x + i * THREADS
            q = element // R
            if q < QUADS:
                for e in range(QUAD):
                    shared[at(weights + (q * LD + element - q * R) * QUAD + e)] = held[i * QUAD + e]

    @cuda.jit(device=True)
    def accumulate(total, shared, weights, inputs, quads):
        """total[j*RT + i] += this thread's part of `quads` fours of k, row i and sample j of its tile."""
        thread = cuda.threadIdx.x
        rg, sg, ks = thread % RG, thread // RG % SG, thread // (RG * SG)
        weight = cuda.local.array(WEIGHTS, number)
        for q in range(ks, quads, KS):
            from_weights = at(weights + (q * LD + rg) * QUAD)
            from_inputs = at(inputs + (q * INPUTS_LD + sg) * QUAD)
            for i in range(RT):
                for e in range(QUAD):
                    weight[i * QUAD + e] = shared[from_weights + at(i * RG * QUAD + e)]
            for j in range(ST):
                for e in range(QUAD):
                    value = shared[from_inputs + at(j * SG * QUAD + e)]
                    for i in range(RT):
                        total[j * RT + i] += weight[i * QUAD + e] * value

    @cuda.jit(device=True)
    def add_up(total, shared, partial, sums):
        """The sums of all threads' totals."""
        thread = cuda.threadIdx.x
        rg, sg, ks = thread % RG, thread // RG % SG, thread // (RG * SG)
        for j in range(ST):
            for i in range(RT):
                shared[at(partial + ((i * RG + rg) * S + j * SG + sg) * PARTIAL_LD + ks)] = total[j * RT + i]
        cuda.syncthreads()
        for output in range(thread, OUTPUTS, THREADS):
            whole = zero
            for k in range(KS):
                whole += shared[at(partial + output * PARTIAL_LD + k)]
            shared[at(sums + output)] = whole
        cuda.syncthreads()

    @cuda.jit(device=True)
    def multiply(shared, base, w, a, d, row0, apart, count, unit0, H, K):
        inputs = base * QUAD + ((K + QUAD - 1) & -QUAD if RESIDENT else BUFFERS * DEPTH) * LD
        total = cuda.local.array(ACCUMULATORS, number)
        held_inputs = cuda.local.array(INPUTS_HELD, number)
        held_weights = cuda.local.array(HELD, number)
        for i in range(ACCUMULATORS):
            total[i] = zero
        fetch_inputs(held_inputs, a, d, row0, apart, count, 0, K)
        fetch_weights(held_weights, w, d, unit0, H, 0, K)
        buffer = 0
        for k0 in range(0, K, DEPTH):
            weights = base * QUAD + (k0 if RESIDENT else buffer * DEPTH) * LD
            staged = inputs + buffer * DEPTH * INPUTS_LD
            put_inputs(held_inputs, shared, staged)
            put_weights(held_weights, shared, weights)
            cuda.syncthreads()
            if k0 + DEPTH < K:  # the next are on their way while these are multiplied
                fetch_inputs(held_inputs, a, d, row0, apart, count, k0 + DEPTH, K)
                fetch_weights(held_weights, w, d, unit0, H, k0 + DEPTH, K)
                buffer = 1 - buffer
            accumulate(total, shared, weights, staged, (min(DEPTH, K - k0) + QUAD - 1) // QUAD)
        cuda.syncthreads()
        add_up(total, shared, inputs, inputs + PASSING)
        return inputs + PASSING

    return load, multiply
