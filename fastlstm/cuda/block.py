"""What the blocks of a sequence kernel do together: multiply, wait, and find where things stand in time."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cuda.shim import cuda_module
from fastlstm.cuda.tile import Tile

cuda = cuda_module()

# Loads that a thread asks for before it waits for the first. With one at a time a multiprocessor would wait for the
# second-level cache most of a step. Not measured yet: no GPU could be had.
IN_FLIGHT = 8


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
    return t < reset.shape[0] and b < counts[t] and reset[t, b]


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
def product(tile: Tile, dtype: str, transposed: bool, resident: bool) -> tuple[Any, Any]:
    """Device functions (load, multiply) of one block's part of a step's product.

    load(shared, w, d, unit0, H, k0, depth): rows k0 ... k0+depth of the block's weights, to the start of `shared`, for
    units below H, zeros for the others. w: (D, gates*H, K), or transposed (D, K, H).

    multiply(shared, w, a, d, row0, apart, count, unit0, H, K, depth) -> where in `shared` the sums stand:
    sums[r*samples + s] = sum over k of w[r, k] * a[d, row0 + s*apart, k], r = gate*units + unit. Samples from `count`
    on are not read. With resident weights `load` was called once for all K.
    """
    number = getattr(types, dtype)
    zero = number(0)
    R, U, S, RT, ST = tile.rows, tile.units, tile.samples, tile.tile_rows, tile.tile_samples
    RG, SG, KS, THREADS, LANES = tile.row_threads, tile.sample_threads, tile.depth_threads, tile.threads, tile.lanes
    LD, INPUTS_LD, PARTIAL_LD, WARPS = tile.weights_ld, tile.inputs_ld, tile.partial_ld, tile.threads // tile.lanes
    ACCUMULATORS, OUTPUTS = RT * ST, R * S
    # All threads stage, however few the samples: SPAN threads next to each other have one of TOGETHER samples.
    TOGETHER = min(S, WARPS)
    SPAN = THREADS // TOGETHER

    @cuda.jit(device=True)
    def load(shared, w, d, unit0, H, k0, depth):
        thread = cuda.threadIdx.x
        if transposed:  # units are next to each other in memory
            for i in range(thread, depth * R, THREADS):
                k = i // R
                unit = unit0 + i - k * R
                shared[k * LD + i - k * R] = w[d, k0 + k, unit] if unit < H else zero
        else:  # k are
            for r in range(thread // LANES, R, WARPS):
                unit = unit0 + r % U
                for k in range(thread % LANES, depth, LANES):
                    shared[k * LD + r] = w[d, r // U * H + unit, k0 + k] if unit < H else zero

    @cuda.jit(device=True)
    def stage(shared, a, d, row0, apart, count, k0, depth, inputs):
        """depth columns of `count` rows of a, to shared[inputs + k*INPUTS_LD + s]; zeros for further samples."""
        thread = cuda.threadIdx.x
        held = cuda.local.array(IN_FLIGHT, number)
        for s in range(thread // SPAN, S, TOGETHER):
            for first in range(thread % SPAN, depth, SPAN * IN_FLIGHT):
                for i in range(IN_FLIGHT):
                    k = first + i * SPAN
                    held[i] = a[d, row0 + s * apart, k0 + k] if k < depth and s < count else zero
                for i in range(IN_FLIGHT):
                    k = first + i * SPAN
                    if k < depth:
                        shared[inputs + k * INPUTS_LD + s] = held[i]

    @cuda.jit(device=True)
    def multiply(shared, w, a, d, row0, apart, count, unit0, H, K, depth):
        thread = cuda.threadIdx.x
        rg, ks, sg = thread % RG, thread // RG % KS, thread // (RG * KS)
        inputs = (K if resident else depth) * LD
        partial = inputs + depth * INPUTS_LD
        sums = partial + OUTPUTS * PARTIAL_LD
        total = cuda.local.array(ACCUMULATORS, number)
        weight = cuda.local.array(RT, number)
        for i in range(ACCUMULATORS):
            total[i] = zero
        for k0 in range(0, K, depth):
            now = min(depth, K - k0)
            if not resident:
                load(shared, w, d, unit0, H, k0, now)
            stage(shared, a, d, row0, apart, count, k0, now, inputs)
            cuda.syncthreads()
            at = k0 * LD if resident else 0
            for k in range(ks, now, KS):
                for i in range(RT):
                    weight[i] = shared[at + k * LD + i * RG + rg]
                for j in range(ST):
                    value = shared[inputs + k * INPUTS_LD + j * SG + sg]
                    for i in range(RT):
                        total[j * RT + i] += weight[i] * value
            cuda.syncthreads()
        for j in range(ST):
            for i in range(RT):
                shared[partial + ((i * RG + rg) * S + j * SG + sg) * PARTIAL_LD + ks] = total[j * RT + i]
        cuda.syncthreads()
        for output in range(thread, OUTPUTS, THREADS):
            whole = zero
            for k in range(KS):
                whole += shared[partial + output * PARTIAL_LD + k]
            shared[sums + output] = whole
        cuda.syncthreads()
        return sums

    return load, multiply
