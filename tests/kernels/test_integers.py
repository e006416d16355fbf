"""The integer tile as assembly of machines that this one is not: each has its own instruction for sums of products."""

import pytest
from llvmlite import binding, ir

from fastlstm.kernels import machine
from fastlstm.kernels.integers import Integers
from fastlstm.kernels.tile8 import emit_tile8

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("target", "triple", "cpu", "small", "instruction", "register", "each"),
    [
        (machine.AVX512_VNNI, X86, "cascadelake", True, "vpdpbusd", "zmm", 1),
        (machine.AVX512_VNNI, X86, "cascadelake", False, "vpdpwssd", "zmm", 1),
        (machine.AVX512, X86, "skylake-avx512", True, "vpmaddubsw", "zmm", 1),
        (machine.AVX2, X86, "haswell", True, "vpmaddubsw", "ymm", 1),
        (machine.AVX2, X86, "haswell", False, "vpmaddwd", "ymm", 1),
        (machine.SSSE3, X86, "nehalem", True, "pmaddubsw", "xmm", 1),
        (machine.SSE, X86, "x86-64", False, "pm", "xmm", 1),
        (machine.NEON, ARM, "generic", False, "mla", ".4s", 1),
        (machine.NEON_DOT, ARM, "neoverse-n1", True, "sdot", ".16b", 1),
    ],
)
def test_the_integer_tile_becomes_vector_code(target, triple, cpu, small, instruction, register, each):
    """One instruction, or a pair of them, for each register of weights and row, and no call."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    byte, real, size = ir.IntType(8).as_pointer(), ir.FloatType().as_pointer(), ir.IntType(64)
    module = ir.Module()
    module.triple = triple
    kinds = [byte, real, byte, byte, size, size, real, size, size, real, size, size]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "tile")
    builder = ir.IRBuilder(function.append_basic_block())
    emit_tile8(builder, Integers(builder, target), small, 4, 1, *function.args)
    builder.ret_void()
    parsed = binding.parse_assembly(str(module))
    made = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes = binding.create_pass_builder(made, options)
    passes.getModulePassManager().run(parsed, passes)
    lines = made.emit_assembly(parsed).splitlines()
    products = [line for line in lines if instruction in line and register in line]
    assert len(products) >= each * 4 * target.tile_vectors
    assert not [line for line in lines if "call" in line or "\tbl\t" in line]
