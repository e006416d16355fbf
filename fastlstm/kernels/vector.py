"""The vector IR: registers as values with operators, emitted through llvmlite. No other file writes vector IR.

`Emitter` makes `Vector`s of one register each for one dtype; `sigmoid`, `tanh`, `exp` and `log` are polynomials of ours
(SVML left Numba in 0.62). The equations of the cells are traced with these values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from fastlstm.kernels.machine import Machine

_I64 = ir.IntType(64)


@dataclass(frozen=True, slots=True)
class _Real:
    """What exp needs to know of a floating point format."""

    type: ir.Type
    integer: ir.Type
    mantissa: int
    one: int  # the bits of 1.0
    round: float  # 1.5 * 2**mantissa: adding it leaves the nearest integer in the low bits
    ln2_high: float  # with so few bits that n * ln2_high is exact
    ln2_low: float
    exp_limit: float  # exp(+-limit) is a normal number
    tanh_limit: float  # tanh(limit / 2) rounds to 1
    bias: int  # of the exponent
    log_terms: int  # of the series of atanh(s), s <= 0.172: the first omitted is below a tenth of the last bit
    polynomial: tuple[float, ...]  # q of exp(r) - 1 = r + r*r*q(r) for |r| <= ln(2)/2, highest power first


# float32: minimax of degree 4 for the relative error of exp, 3.1e-9, found by Lawson's iteration on 400 Chebyshev
# points in 50-digit arithmetic. float64: the Taylor series, whose first omitted term is 1.2e-17 of the result.
_FLOAT32 = _Real(
    ir.FloatType(), ir.IntType(32), 23, 0x3F800000, 12582912.0,
    0.693359375, -2.12194440054690583e-4, 87.0, 20.0, 127, 5,
    (0.00138145378937, 0.00836874532005, 0.0416683908313, 0.166665203968, 0.499999934319),
)  # fmt: skip
_FLOAT64 = _Real(
    ir.DoubleType(), ir.IntType(64), 52, 0x3FF0000000000000, 6755399441055744.0,
    0.693147180369123816490, 1.90821492927058770002e-10, 708.0, 40.0, 1023, 11,
    tuple(1.0 / float(np.prod(np.arange(1.0, n + 1))) for n in range(13, 1, -1)),
)  # fmt: skip


class Emitter:
    """Makes vectors of one machine register, for one dtype, at the builder's position."""

    def __init__(self, builder: ir.IRBuilder, machine: Machine, dtype: str) -> None:
        self.builder = builder
        self.machine = machine
        self.real = {"float32": _FLOAT32, "float64": _FLOAT64}[dtype]
        self.lanes = machine.lanes(np.dtype(dtype))
        self.type = ir.VectorType(self.real.type, self.lanes)
        self.align = np.dtype(dtype).itemsize

    def load(self, pointer: ir.Value, index: ir.Value | int = 0) -> Vector:
        """The vector at `pointer[index:]`; the address needs the alignment of one element only."""
        value = self.builder.load(self._place(pointer, index))
        value.align = self.align
        return Vector(self, value)

    def load_halves(self, pointer: ir.Value, index: int) -> Vector:
        """The numbers of 16 bits at places `index`, ... behind the pointer, made wider: finite ones where the machine
        has no instruction for it (LLVM would call a function that a process need not have).
        """
        half = ir.IntType(16)
        place = self.builder.gep(self.builder.bitcast(pointer, half.as_pointer()), [ir.Constant(_I64, index)])
        kind = ir.VectorType(ir.HalfType() if self.machine.halves else half, self.lanes)
        value = self.builder.load(self.builder.bitcast(place, kind.as_pointer()))
        value.align = 2
        if self.machine.halves:
            return Vector(self, self.builder.fpext(value, self.type))
        # Sign, exponent and fraction to where a float32 has them: its exponent means 2**112 less, in subnormal ones too
        builder, bits = self.builder, self.builder.zext(value, ir.VectorType(self.real.integer, self.lanes))
        sign = builder.shl(builder.and_(bits, self._whole(0x8000)), self._whole(16))
        size = builder.shl(builder.and_(bits, self._whole(0x7FFF)), self._whole(13))
        return Vector(self, builder.bitcast(builder.or_(sign, size), self.type)) * 2.0**112

    def store(self, vector: Vector, pointer: ir.Value, index: ir.Value | int = 0) -> None:
        """Write the vector to `pointer[index:]`."""
        self.builder.store(vector.value, self._place(pointer, index)).align = self.align

    def prefetch(self, pointer: ir.Value, index: int) -> None:
        """Bring the cache line at `pointer[index:]` into the first-level cache; any address will do."""
        byte = ir.IntType(8).as_pointer()
        name = "llvm.prefetch.p0"
        i32 = ir.IntType(32)
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32]), name)
        place = self.builder.bitcast(self.builder.gep(pointer, [ir.Constant(_I64, index)]), byte)
        self.builder.call(function, [place, ir.Constant(i32, 0), ir.Constant(i32, 3), ir.Constant(i32, 1)])

    def splat(self, scalar: ir.Value | float) -> Vector:
        """A vector with one number in all lanes."""
        if isinstance(scalar, (int, float)):
            constant = ir.Constant(self.real.type, float(scalar))
            return Vector(self, ir.Constant(self.type, [constant] * self.lanes))
        undefined = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return Vector(self, self.builder.shuffle_vector(first, undefined, zeros))

    def shuffle(self, a: Vector, b: Vector, lanes: Sequence[int]) -> Vector:
        """A vector of these lanes of a and, counted behind them, of b."""
        index = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), list(lanes))
        return Vector(self, self.builder.shuffle_vector(a.value, b.value, index))

    def turned(self, vectors: Sequence[Vector]) -> list[Vector]:
        """As many vectors as lanes, rows and columns exchanged: of squares of half the size, then within these."""
        found, far, lanes = list(vectors), self.lanes // 2, range(self.lanes)
        while far:
            for n in lanes:
                if not n & far:
                    a, b = found[n], found[n + far]
                    found[n] = self.shuffle(a, b, [lane - far + self.lanes if lane & far else lane for lane in lanes])
                    found[n + far] = self.shuffle(a, b, [lane + (self.lanes if lane & far else far) for lane in lanes])
            far //= 2
        return found

    def fma(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """a * b + c, fused where the machine can."""
        if not self.machine.fused:
            builder = self.builder
            return Vector(self, builder.fadd(builder.fmul(a.value, b.value), c.value))
        name = f"llvm.fma.v{self.lanes}f{self.align * 8}"
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(self.type, [self.type] * 3), name)
        return Vector(self, self.builder.call(function, [a.value, b.value, c.value]))

    def first_lanes(self, vector: Vector, count: ir.Value) -> Vector:
        """The vector with lanes from `count` on set to zero, whatever they hold."""
        integer = self.real.integer
        mask_type = ir.VectorType(integer, self.lanes)
        lane_numbers = ir.Constant(mask_type, [ir.Constant(integer, n) for n in range(self.lanes)])
        undefined = ir.Constant(mask_type, ir.Undefined)
        if integer != _I64:
            count = self.builder.trunc(count, integer)
        counts = self.builder.insert_element(undefined, count, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        counts = self.builder.shuffle_vector(counts, undefined, zeros)
        inside = self.builder.icmp_signed("<", lane_numbers, counts)
        return Vector(self, self.builder.select(inside, vector.value, self.splat(0.0).value))

    def sigmoid(self, x: Vector) -> Vector:
        """1 / (1 + exp(-x))."""
        limit = self.real.exp_limit
        n, r = self._split(self._clamp(-x, -limit, limit))
        square = r * r
        exp = self.fma(self._polynomial(r, square), square, r + 1.0)
        # Times 2**n: n is added to the exponent.
        integers = self.builder.bitcast(exp.value, n.type)
        return 1.0 / (Vector(self, self.builder.bitcast(self.builder.add(integers, n), self.type)) + 1.0)

    def tanh(self, x: Vector) -> Vector:
        """u / (u + 2) with u = exp(2x) - 1: exact to the last bits near zero too, without a second branch."""
        limit = self.real.tanh_limit
        n, r = self._split(self._clamp(x + x, -limit, limit))
        square = r * r
        p = self.fma(self._polynomial(r, square), square, r)
        # exp(y) - 1 = 2**n (exp(r) - 1) + (2**n - 1) (Cody and Waite 1980, ch. 6).
        one = ir.Constant(n.type, [ir.Constant(self.real.integer, self.real.one)] * self.lanes)
        scale = Vector(self, self.builder.bitcast(self.builder.add(n, one), self.type))
        u = self.fma(scale, p, scale - 1.0)
        return u / (u + 2.0)

    def relu(self, x: Vector) -> Vector:
        """max(x, 0); NaN stays NaN."""
        return self.where_greater(0.0, x, self.splat(0.0), x)

    def exp(self, x: Vector) -> Vector:
        """e**x, up to infinity and down through the subnormal numbers to zero."""
        real, builder = self.real, self.builder
        x = self._clamp(x, -1.25 * real.exp_limit, 1.25 * real.exp_limit)
        shifted = self.fma(x, self.splat(1.4426950408889634), self.splat(real.round))
        n = shifted - real.round
        r = self.fma(n, self.splat(-real.ln2_low), self.fma(n, self.splat(-real.ln2_high), x))
        square = r * r
        y = self.fma(self._polynomial(r, square), square, r + 1.0)
        # Times 2**n in two halves: n alone may be no exponent of a normal number.
        integers = builder.sub(self._bits(shifted), self._bits(self.splat(real.round)))
        half = builder.ashr(integers, self._whole(1))
        return y * self._power_of_two(half) * self._power_of_two(builder.sub(integers, half))

    def log(self, x: Vector) -> Vector:
        """The natural logarithm: -infinity of 0, NaN of less.

        x = 2**k (1 + f) with sqrt(1/2) < 1 + f < sqrt(2), and log(1 + f) from s = f / (2 + f) by the series of atanh,
        arranged as in fdlibm's e_log.c so that f, the largest term, comes last.
        """
        real, builder = self.real, self.builder
        tiny = 2.0 ** (2 - real.bias)
        small = self.compare("<", x, self.splat(tiny))
        scaled = self.select(small, x * 2.0 ** (real.mantissa + 2), x)
        # The exponent of scaled / sqrt(1/2), so that the fraction lies around 1.
        offset = builder.sub(self._bits(scaled), self._bits(self.splat(0.5**0.5)))
        k = builder.ashr(offset, self._whole(real.mantissa))
        fraction = builder.sub(self._bits(scaled), builder.shl(k, self._whole(real.mantissa)))
        f = Vector(self, builder.bitcast(fraction, self.type)) - 1.0
        exponent = Vector(self, builder.sitofp(k, self.type))
        exponent = self.select(small, exponent - float(real.mantissa + 2), exponent)
        s = f / (f + 2.0)
        z = s * s
        series = self.splat(2.0 / (2 * real.log_terms + 1))
        for n in range(real.log_terms - 1, 0, -1):
            series = self.fma(series, z, self.splat(2.0 / (2 * n + 1)))
        half_square = f * f * 0.5
        rest = self.fma(s, self.fma(series, z, half_square), exponent * real.ln2_low)
        y = self.fma(exponent, self.splat(real.ln2_high), f - (half_square - rest))
        y = self.select(self.compare("<", x, self.splat(float("inf"))), y, x)  # infinity and NaN are their own
        y = self.select(self.compare("<", x, self.splat(0.0)), self.splat(float("nan")), y)
        return self.select(self.compare("==", x, self.splat(0.0)), self.splat(float("-inf")), y)

    def sqrt(self, x: Vector) -> Vector:
        """The square root, rounded right; NaN of less than 0."""
        return self._intrinsic("sqrt", x)

    def abs(self, x: Vector) -> Vector:
        """|x|."""
        return self._intrinsic("fabs", x)

    def softplus(self, x: Vector) -> Vector:
        """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))."""
        u = self.exp(-self.abs(x))
        w = u + 1.0
        # What the rounding of 1 + u lost, to first order.
        logarithm = self.log(w) + (u - (w - 1.0)) / w
        return self.relu(x) + logarithm

    def log_sigmoid(self, x: Vector) -> Vector:
        """log(sigmoid(x)) = -softplus(-x)."""
        return -self.softplus(-x)

    def sin(self, x: Vector) -> Vector:
        """The C library's, lane by lane: large arguments need more digits of pi than a register has."""
        return self._each_lane("sin", x)

    def cos(self, x: Vector) -> Vector:
        """The C library's, lane by lane."""
        return self._each_lane("cos", x)

    def pow(self, x: Vector, y: Vector) -> Vector:
        """x**y, the C library's, lane by lane: by exp and log it would lose the digits of the exponent."""
        return self._each_lane("pow", x, y)

    def minimum(self, a: Vector, b: Vector) -> Vector:
        """The smaller; NaN if one is."""
        return self.select(self.compare("uno", a, a), a, self.select(self.compare("<", a, b), a, b))

    def maximum(self, a: Vector, b: Vector) -> Vector:
        """The greater; NaN if one is."""
        return self.select(self.compare("uno", a, a), a, self.select(self.compare(">", a, b), a, b))

    def compare(self, operation: str, a: Vector, b: Vector) -> Vector:
        """A mask, one bit for each lane: < <= > >= ==, false where one is NaN, != and "uno", true there."""
        function = self.builder.fcmp_unordered if operation in ("!=", "uno") else self.builder.fcmp_ordered
        return Vector(self, function(operation, a.value, b.value))

    def select(self, mask: Vector, then: Vector, otherwise: Vector) -> Vector:
        """`then` in the lanes of the mask, else `otherwise`."""
        return Vector(self, self.builder.select(mask.value, then.value, otherwise.value))

    def logic(self, operation: str, *masks: Vector) -> Vector:
        """Masks joined by "and" or "or", or "not"."""
        function = {"and": self.builder.and_, "or": self.builder.or_, "not": self.builder.not_}[operation]
        return Vector(self, function(*(mask.value for mask in masks)))

    def total(self, vector: Vector) -> ir.Value:
        """The sum of all lanes, in pairs."""
        builder, value, lanes = self.builder, vector.value, self.lanes
        while lanes > 1:
            lanes //= 2
            index = ir.VectorType(ir.IntType(32), lanes)
            halves = [
                builder.shuffle_vector(value, value, ir.Constant(index, list(range(start, start + lanes))))
                for start in (0, lanes)
            ]
            value = builder.fadd(*halves)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    def where_greater(self, a: Vector | float, b: Vector | float, then: Vector, otherwise: Vector) -> Vector:
        """`then` in the lanes where a > b, else (NaN included) `otherwise`."""
        test = self.builder.fcmp_ordered(">", self._vector(a).value, self._vector(b).value)
        return Vector(self, self.builder.select(test, then.value, otherwise.value))

    def _clamp(self, x: Vector, low: float, high: float) -> Vector:
        """min(max(x, low), high) that keeps NaN."""
        x = self.where_greater(x, high, self.splat(high), x)
        return self.where_greater(low, x, self.splat(low), x)

    def _split(self, y: Vector) -> tuple[ir.Value, Vector]:
        """n and r of y = n ln 2 + r, |r| <= ln(2)/2; n as integers that stand where the exponent does."""
        real, builder = self.real, self.builder
        shifted = self.fma(y, self.splat(1.4426950408889634), self.splat(real.round))
        n = shifted - real.round
        r = self.fma(n, self.splat(-real.ln2_high), y)
        r = self.fma(n, self.splat(-real.ln2_low), r)
        integers = ir.VectorType(real.integer, self.lanes)
        bits = builder.bitcast(shifted.value, integers)
        return builder.shl(bits, ir.Constant(integers, [ir.Constant(real.integer, real.mantissa)] * self.lanes)), r

    def _bits(self, x: Vector) -> ir.Value:
        return self.builder.bitcast(x.value, ir.VectorType(self.real.integer, self.lanes))

    def _whole(self, number: int) -> ir.Value:
        """An integer in all lanes."""
        return ir.Constant(
            ir.VectorType(self.real.integer, self.lanes), [ir.Constant(self.real.integer, number)] * self.lanes
        )

    def _power_of_two(self, n: ir.Value) -> Vector:
        """2**n for integers that are exponents of normal numbers."""
        biased = self.builder.add(n, self._whole(self.real.bias))
        shifted = self.builder.shl(biased, self._whole(self.real.mantissa))
        return Vector(self, self.builder.bitcast(shifted, self.type))

    def _intrinsic(self, name: str, x: Vector) -> Vector:
        """LLVM's function of this name, which is an instruction."""
        full = f"llvm.{name}.v{self.lanes}f{self.align * 8}"
        return Vector(self, self.builder.call(self._declared(full, self.type, 1), [x.value]))

    def _each_lane(self, name: str, *arguments: Vector) -> Vector:
        """The C library's function of this name, which Python's process has."""
        function = self._declared(f"llvm.{name}.f{self.align * 8}", self.real.type, len(arguments))
        result = ir.Constant(self.type, ir.Undefined)
        for lane in range(self.lanes):
            number = ir.Constant(ir.IntType(32), lane)
            scalars = [self.builder.extract_element(argument.value, number) for argument in arguments]
            result = self.builder.insert_element(result, self.builder.call(function, scalars), number)
        return Vector(self, result)

    def _declared(self, name: str, kind: ir.Type, arguments: int) -> ir.Value:
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(kind, [kind] * arguments), name)
        return function

    def _polynomial(self, r: Vector, square: Vector) -> Vector:
        """(exp(r) - 1 - r) / r**2, by Estrin's scheme: the time to the last term decides a cell's time."""
        terms = [self.splat(coefficient) for coefficient in reversed(self.real.polynomial)]
        power, next_power = r, square
        while len(terms) > 1:
            pairs = [self.fma(high, power, low) for low, high in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[len(pairs) * 2 :]
            if len(terms) > 1:
                power, next_power = next_power, next_power * next_power
        return terms[0]

    def _place(self, pointer: ir.Value, index: ir.Value | int) -> ir.Value:
        if isinstance(index, int):
            index = ir.Constant(_I64, index)
        return self.builder.bitcast(self.builder.gep(pointer, [index]), self.type.as_pointer())

    def _vector(self, other: Vector | float) -> Vector:
        return other if isinstance(other, Vector) else self.splat(other)


class Vector:
    """One register, with the operators that the cells' equations use; a plain number stands for all lanes."""

    __slots__ = ("emitter", "value")

    def __init__(self, emitter: Emitter, value: ir.Value) -> None:
        self.emitter = emitter
        self.value = value

    def __add__(self, other: Vector | float) -> Vector:
        return self._apply("fadd", self, other)

    def __radd__(self, other: float) -> Vector:
        return self._apply("fadd", other, self)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._apply("fsub", self, other)

    def __rsub__(self, other: float) -> Vector:
        return self._apply("fsub", other, self)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._apply("fmul", self, other)

    def __rmul__(self, other: float) -> Vector:
        return self._apply("fmul", other, self)

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._apply("fdiv", self, other)

    def __rtruediv__(self, other: float) -> Vector:
        return self._apply("fdiv", other, self)

    def __neg__(self) -> Vector:
        return Vector(self.emitter, self.emitter.builder.fneg(self.value))

    def _apply(self, operation: str, left: Any, right: Any) -> Vector:
        emitter = self.emitter
        instruction = getattr(emitter.builder, operation)
        # contract: a*b + c may become one fused instruction. Nothing else is allowed: NaN and infinity must flow.
        return Vector(
            emitter,
            instruction(emitter._vector(left).value, emitter._vector(right).value, flags=("contract",)),
        )
