"""The vector IR of integers: rounding, and sums of products of bytes and of 16-bit words in 32 bits.

Weights come with four columns k of each unit together, a byte each, or two, a word each: 32 bits for each of the sums.
Where a machine has an instruction for a sum of products it is named; what LLVM makes of the plain sum elsewhere is its
affair.
"""

from __future__ import annotations

from llvmlite import ir

from fastlstm.kernels.machine import Machine

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_MADD = {16: "sse2", 32: "avx2", 64: "avx512"}
_MADDUBS = {16: "ssse3.pmadd.ub.sw.128", 32: "avx2.pmadd.ub.sw", 64: "avx512.pmaddubs.w.512"}


class Integers:
    """Registers of integers of one machine, at the builder's position. lanes: sums of 32 bits in one register."""

    def __init__(self, builder: ir.IRBuilder, machine: Machine) -> None:
        self.builder, self.machine = builder, machine
        self.width = machine.vector_bytes
        self.lanes = self.width // 4
        self.bytes = ir.VectorType(_I8, self.width)
        self.words = ir.VectorType(_I16, self.width // 2)
        self.sums = ir.VectorType(_I32, self.lanes)

    @property
    def signed(self) -> bool:
        """Whether the values of bytes are signed. Elsewhere 128 is added to them."""
        return self.machine.narrow == "sdot"

    def load(self, pointer: ir.Value, offset: int, kind: ir.VectorType) -> ir.Value:
        """The register of this kind `offset` bytes behind a pointer to bytes."""
        value = self.builder.load(self.builder.bitcast(self.behind(pointer, offset), kind.as_pointer()))
        value.align = 1
        return value

    def behind(self, pointer: ir.Value, offset: int | ir.Value) -> ir.Value:
        """The pointer to bytes, `offset` bytes further."""
        if isinstance(offset, int):
            offset = ir.Constant(_I64, offset)
        return self.builder.gep(pointer, [offset])

    def splat(self, pointer: ir.Value, offset: int, kind: ir.VectorType) -> ir.Value:
        """The four bytes `offset` behind a pointer to bytes, again and again."""
        builder = self.builder
        value = builder.load(builder.bitcast(self.behind(pointer, offset), _I32.as_pointer()))
        value.align = 1
        undefined = ir.Constant(self.sums, ir.Undefined)
        first = builder.insert_element(undefined, value, ir.Constant(_I32, 0))
        zeros = ir.Constant(ir.VectorType(_I32, self.lanes), [0] * self.lanes)
        return builder.bitcast(builder.shuffle_vector(first, undefined, zeros), kind)

    def zero(self) -> ir.Value:
        """Sums of nothing."""
        return ir.Constant(self.sums, [ir.Constant(_I32, 0)] * self.lanes)

    def add_words(self, sums: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
        """sums[n] + a[2n] b[2n] + a[2n + 1] b[2n + 1]."""
        builder = self.builder
        if self.machine.narrow in ("pairs", "dot"):
            name = f"llvm.x86.{_MADD[self.width]}." + ("pmaddw.d.512" if self.width == 64 else "pmadd.wd")
            return builder.add(sums, builder.call(self._declared(name, self.sums, [self.words] * 2), [a, b]))
        for place in (0, 1):
            sums = builder.add(sums, builder.mul(*(self._every(value, 2, place, True) for value in (a, b))))
        return sums

    def add_bytes(self, sums: ir.Value, values: ir.Value, weights: ir.Value) -> ir.Value:
        """sums[n] + values[4n] weights[4n] + ... + values[4n + 3] weights[4n + 3]; values `signed` or not, weights
        signed, and the sum of two products within 16 bits.
        """
        builder = self.builder
        if self.machine.narrow == "dot":
            name = f"llvm.x86.avx512.vpdpbusd.{self.width * 8}"
            dot = self._declared(name, self.sums, [self.sums] * 3)
            return builder.call(dot, [sums, *(builder.bitcast(value, self.sums) for value in (values, weights))])
        if self.machine.narrow == "sdot":
            name = f"llvm.aarch64.neon.sdot.v{self.lanes}i32.v{self.width}i8"
            return builder.call(
                self._declared(name, self.sums, [self.sums, *[self.bytes] * 2]), [sums, values, weights]
            )
        if self.machine.narrow == "pairs":
            pairs = self._declared(f"llvm.x86.{_MADDUBS[self.width]}", self.words, [self.bytes] * 2)
            ones = ir.Constant(self.words, [ir.Constant(_I16, 1)] * (self.width // 2))
            return self.add_words(sums, builder.call(pairs, [values, weights]), ones)
        for place in range(4):
            value, weight = self._every(values, 4, place, False), self._every(weights, 4, place, True)
            sums = builder.add(sums, builder.mul(value, weight))
        return sums

    def _every(self, value: ir.Value, step: int, place: int, signed: bool) -> ir.Value:
        """The elements place, place + step, ... of a register as 32-bit integers."""
        chosen = ir.Constant(ir.VectorType(_I32, self.lanes), list(range(place, step * self.lanes, step)))
        part = self.builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), chosen)
        return self.builder.sext(part, self.sums) if signed else self.builder.zext(part, self.sums)

    def _declared(self, name: str, kind: ir.Type, arguments: list[ir.Type]) -> ir.Value:
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(kind, arguments), name)
        return function
