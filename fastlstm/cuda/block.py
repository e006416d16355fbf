"""What the blocks of a sequence kernel do together: multiply, wait, and find where things stand in time."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cuda.order import arrivals, arrive
from fastlstm.cuda.shim import SIMULATED, cuda_module
from fastlstm.cuda.tile import QUAD, Tile

cuda = cuda_module()

# Every index of a kernel goes through this. A signed one could count from the end: Numba adds five instructions for
# that to each load, three times as many as there are multiply-adds, and no load is known to be aligned any more.
at = int if SIMULATED else types.uint64
# Numba counts in 64 bits, for which a GPU takes two instructions or four.
short = int if SIMULATED else types.int32

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

    A group is most often a part of the grid, and its counter is touched by its members alone.
    """
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        arrive(arrived, group)
        while arrivals(arrived, group) < target:
            pass
    cuda.syncthreads()


@cache
def product(tile: Tile, dtype: str) -> tuple[Any, Any]:
    """Device functions (load, multiply) of one block's part of a step's product.

    load(shared, base, w, d, unit0, H, K): the block's weights, where they are resident, to shared[base ...], in fours.
    w: (D, K, gates*H); zeros for units from H on.

    multiply(shared, base, w, a, d, row0, apart, count, unit0, H, K) -> where in `shared` the sums stand:
    sums[r*samples + s] = sum over k of a[d, row0 + s*apart, k] * w[d, k, r], r = gate*units + unit. Samples from
    `count` on are not read. a: (D, rows, K). Where the weights are resident, `load` was called before.
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
    # Elements of a row that one thread stages, or rows that all threads stage together.
    ACROSS, TOGETHER = max(1, DEPTH // THREADS), max(1, THREADS // DEPTH)
    SPAN = tile.rows_span
    ROWS_ACROSS, ROWS_TOGETHER = max(1, SPAN // THREADS), max(1, THREADS // SPAN)

    @cuda.jit(device=True)
    def load(shared, base, w, d, unit0, H, K):
        for i in range(cuda.threadIdx.x, (K + QUAD - 1) // QUAD * R, THREADS):
            q = i // R
            r = i - q * R
            unit = unit0 + r % U
            for e in range(QUAD):
                k = q * QUAD + e
                there = unit < H and k < K
                value = w[at(d), at(k), at(r // U * H + unit)] if there else zero
                shared[at((base + q * LD + r) * QUAD + e)] = value

    @cuda.jit(device=True)
    def fetch_inputs(held, a, first, apart, count, k0, K):
        """DEPTH columns of `count` rows of a, on their way into registers; zeros for the rest.

        a is read as one line, in which the first row begins at `first` and the others lie `apart`: with places by row
        and column the arithmetic took as many instructions as the multiply-adds.
        """
        thread = cuda.threadIdx.x
        s, k = thread // DEPTH, k0 + thread % DEPTH
        samples, columns, place = short(min(count, S) - s), short(min(K - k, DEPTH)), first + s * apart + k
        line = a.flat
        for i in range(INPUTS_HELD):
            below, right = i // ACROSS * TOGETHER, i % ACROSS * THREADS
            there = below < samples and right < columns
            held[i] = line[at(place + right)] if there else zero
            if i % ACROSS == ACROSS - 1:
                place += TOGETHER * apart

    @cuda.jit(device=True)
    def put_inputs(held, shared, inputs):
        thread = cuda.threadIdx.x
        s, k = thread // DEPTH, thread % DEPTH
        start = inputs + (k // QUAD * INPUTS_LD + s) * QUAD + k % QUAD
        for i in range(INPUTS_HELD):
            below, right = i // ACROSS * TOGETHER, i % ACROSS * THREADS
            if S * DEPTH % THREADS == 0 or s < S - below:
                shared[at(start + below * QUAD + right * INPUTS_LD)] = held[i]

    @cuda.jit(device=True)
    def fetch_weights(held, w, d, unit0, H, k0, K):
        """The same of the weights, four k of a row together; threads next to each other have the next rows."""
        thread = cuda.threadIdx.x
        q, C = thread // SPAN, w.shape[2]
        line = w.flat
        for i in range(WEIGHTS_HELD):
            r = thread % SPAN + i % ROWS_ACROSS * THREADS
            unit, k = unit0 + r % U, k0 + (q + i // ROWS_ACROSS * ROWS_TOGETHER) * QUAD
            place = (d * K + k) * C + r // U * H + unit
            left = short(min(K - k, QUAD)) if r < R and unit < H else 0
            for e in range(QUAD):
                held[i * QUAD + e] = line[at(place)] if e < left else zero
                place += C

    @cuda.jit(device=True)
    def put_weights(held, shared, weights):
        thread = cuda.threadIdx.x
        q = thread // SPAN
        for i in range(WEIGHTS_HELD):
            r, quad = thread % SPAN + i % ROWS_ACROSS * THREADS, q + i // ROWS_ACROSS * ROWS_TOGETHER
            if r < R and quad < QUADS:
                for e in range(QUAD):
                    shared[at(weights + (quad * LD + r) * QUAD + e)] = held[i * QUAD + e]

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
        first = (d * a.shape[1] + row0) * K
        fetch_inputs(held_inputs, a, first, apart * K, count, 0, K)
        fetch_weights(held_weights, w, d, unit0, H, 0, K)
        buffer = 0
        for k0 in range(0, K, DEPTH):
            weights = base * QUAD + (k0 if RESIDENT else buffer * DEPTH) * LD
            staged = inputs + buffer * DEPTH * INPUTS_LD
            put_inputs(held_inputs, shared, staged)
            put_weights(held_weights, shared, weights)
            cuda.syncthreads()
            if k0 + DEPTH < K:  # the next are on their way while these are multiplied
                fetch_inputs(held_inputs, a, first, apart * K, count, k0 + DEPTH, K)
                fetch_weights(held_weights, w, d, unit0, H, k0 + DEPTH, K)
                buffer = 1 - buffer
            accumulate(total, shared, weights, staged, (min(DEPTH, K - k0) + QUAD - 1) // QUAD)
        cuda.syncthreads()
        add_up(total, shared, inputs, inputs + PASSING)
        return inputs + PASSING

    return load, multiply
