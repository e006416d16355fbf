"""What one block wrote, seen by another: PTX's release and acquire, which Numba has no names for.

Numba's `threadfence` is `membar.gl`, a fence that orders the accesses of all threads with each other (sequential
consistency), and its only load that is never served by the first-level cache is an atomic operation. A barrier needs
neither: PTX ISA, "Memory Consistency Model". Compute capability 7.0 or newer.
"""

from __future__ import annotations

from typing import Any

from fastlstm.cuda.shim import SIMULATED, cuda_module

cuda = cuda_module()

if SIMULATED:

    @cuda.jit(device=True)
    def arrive(counters, place):
        """Adds one to counters[place]; who sees it sees what the block wrote before its last barrier."""
        cuda.threadfence()
        cuda.atomic.add(counters, place, 1)

    @cuda.jit(device=True)
    def arrivals(counters, place):
        """counters[place]; what was written before the additions that it shows is read by what follows."""
        seen = cuda.atomic.add(counters, place, 0)
        cuda.threadfence()
        return seen

else:
    from llvmlite import ir
    from numba import types
    from numba.cuda.extending import intrinsic

    def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """Of an element of the array, as a number."""
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], signature.args[1], types.int64)
        return builder.ptrtoint(builder.gep(array.data, [place]), ir.IntType(64))

    @intrinsic
    def arrive(typing_context: Any, counters: Any, place: Any) -> Any:
        """Adds one to counters[place] (int32); who sees it sees what the block wrote before its last barrier.

        The fence is good for the block's other threads too, whose writes its barrier put before it.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
            code = "fence.acq_rel.gpu; red.relaxed.gpu.global.add.s32 [$0], 1;"
            address = _address(context, builder, signature, arguments)
            builder.call(ir.InlineAsm(kind, code, "l,~{memory}", side_effect=True), [address])
            return context.get_dummy_value()

        return types.void(counters, place), emit

    @intrinsic
    def arrivals(typing_context: Any, counters: Any, place: Any) -> Any:
        """counters[place] (int32); what was written before the additions that it shows is read by what follows."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(ir.IntType(32), [ir.IntType(64)])
            code = "ld.acquire.gpu.global.s32 $0, [$1];"
            address = _address(context, builder, signature, arguments)
            return builder.call(ir.InlineAsm(kind, code, "=r,l,~{memory}", side_effect=True), [address])

        return types.int32(counters, place), emit
