"""Objects loaded without LLVM: as LLVM would, or not at all."""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from llvmlite import binding, ir

from fastlstm.compiled import elf, llvm, loader
from fastlstm.compiled.file import Code, Unusable
from fastlstm.kernels.build import _machine
from fastlstm.kernels.cpu import system
from fastlstm.kernels.machine import target

pytestmark = pytest.mark.skipif(not system().startswith("x86_64-linux"), reason="other objects are LLVM's to load")

I64, F64 = ir.IntType(64), ir.DoubleType()
FUNCTIONS = ("answer", "twice", "table", "address", "half")


def module() -> ir.Module:
    """Functions that refer to one another, to a table of numbers, to places in their own code, to constants, and to the
    C library."""
    made = ir.Module()
    table = ir.GlobalVariable(made, ir.ArrayType(I64, 5), "numbers")
    table.initializer = ir.Constant(table.value_type, [2, 3, 5, 7, 11])
    table.global_constant, table.linkage = True, "internal"

    def function(name: str, kind: ir.Type = I64) -> tuple[ir.Function, ir.IRBuilder]:
        defined = ir.Function(made, ir.FunctionType(kind, [kind]), name)
        return defined, ir.IRBuilder(defined.append_basic_block())

    answer, builder = function("answer")  # a jump table, and a call out of the object
    labs = ir.Function(made, ir.FunctionType(I64, [I64]), "labs")
    other = answer.append_basic_block()
    choice = builder.switch(answer.args[0], other)
    for number in range(9):
        block = answer.append_basic_block()
        choice.add_case(ir.Constant(I64, number), block)
        builder.position_at_end(block)
        builder.ret(builder.call(labs, [ir.Constant(I64, -10 * number * number)]))
    builder.position_at_end(other)
    builder.ret(builder.call(labs, answer.args))

    twice, builder = function("twice")
    builder.ret(builder.add(builder.call(answer, twice.args), builder.call(answer, twice.args)))
    reads, builder = function("table")
    builder.ret(builder.load(builder.gep(table, [ir.Constant(I64, 0), reads.args[0]])))
    _, builder = function("address")
    builder.ret(builder.ptrtoint(twice, I64))
    halves, builder = function("half", F64)
    builder.ret(builder.fmul(halves.args[0], ir.Constant(F64, 0.5)))
    return made


def emitted(made: ir.Module, **options: str) -> bytes:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    here = target()
    made.triple = here.triple
    machine = binding.Target.from_triple(here.triple).create_target_machine(**options) if options else _machine(here)
    return bytes(machine.emit_object(binding.parse_assembly(str(made))))


def answers(addresses: dict[str, int]) -> list[float]:
    def call(name: str, kind: type = ctypes.c_int64) -> Callable[..., float]:
        return ctypes.CFUNCTYPE(kind, kind)(addresses[name])

    found = [call(name)(n) for name in ("answer", "twice") for n in range(-3, 12)]
    assert call("address")(0) == addresses["twice"]
    return [*found, *(call("table")(n) for n in range(5)), call("half", ctypes.c_double)(2.5)]


def by_hand(content: bytes) -> dict[str, int]:
    return loader._placed(Code(content, FUNCTIONS, ("labs",)))


def test_it_computes_what_llvms_loader_has_it_compute() -> None:
    content = emitted(module())
    assert {fix.name for fix in elf.read(content).fixes} == {"", "labs"}
    expected = [*(10 * n * n if 0 <= n < 9 else abs(n) for n in range(-3, 12))]
    expected += [2 * value for value in expected]
    assert answers(by_hand(content)) == [*expected, 2, 3, 5, 7, 11, 1.25]
    assert answers(llvm.load(Code(content, FUNCTIONS, ("labs",)))) == [*expected, 2, 3, 5, 7, 11, 1.25]


def test_code_can_be_executed_and_not_written() -> None:
    address = by_hand(emitted(module()))["answer"]
    for line in Path("/proc/self/maps").read_text().splitlines():
        if (found := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)) and int(found[1], 16) <= address < int(
            found[2], 16
        ):
            assert found[3] == "r-xp"
            return
    pytest.fail("no such memory")


def test_what_is_not_known_is_left_to_llvm() -> None:
    near = emitted(module(), codemodel="small", reloc="pic")  # distances of 32 bits: nothing says that they reach
    with pytest.raises(elf.Unknown, match="a relocation of kind"):
        elf.read(near)
    writes = module()
    counter = ir.GlobalVariable(writes, I64, "counter")
    counter.initializer = ir.Constant(I64, 1)
    with pytest.raises(elf.Unknown, match="a section that is written"):
        elf.read(emitted(writes))
    for content in (b"", b"\x7fELF", b"MZ" + bytes(100), near[:16] + b"\x03\x00" + near[18:]):
        with pytest.raises(elf.Unknown, match="no relocatable object"):
            elf.read(content)
    assert loader.load(Code(emitted(writes), ("half",), ("labs",)))["half"]


def test_an_object_that_is_cut_is_never_half_loaded() -> None:
    content = emitted(module())
    whole = elf.read(content)
    (sections,) = struct.unpack_from("<Q", content, 40)
    for length in range(0, sections + 64, 7):  # without the first section's header, which is empty, nothing is known
        with pytest.raises(elf.Unknown):
            elf.read(content[:length])
    assert elf.read(content) == whole


def test_a_relocation_that_points_outside_is_refused() -> None:
    content = bytearray(emitted(module()))
    sections = list(elf._sections(bytes(content)))
    place = next(section.offset for section in sections if section.kind == 4 and sections[section.info].flags & 2)
    struct.pack_into("<Q", content, place, 1 << 40)
    with pytest.raises(elf.Unknown, match="outside"):
        elf.read(bytes(content))


def test_where_no_memory_may_be_executed_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf.mmap, "PROT_EXEC", 1 << 30)
    with pytest.raises(Unusable, match="the system gives no memory for code: Invalid argument"):
        by_hand(emitted(module()))


def test_symbols_that_are_needed_and_not_listed_are_refused() -> None:
    with pytest.raises(Unusable, match="labs"):
        loader._placed(Code(emitted(module()), FUNCTIONS, ()))
    with pytest.raises(Unusable, match="nothing"):
        loader._placed(Code(emitted(module()), ("nothing",), ("labs",)))
