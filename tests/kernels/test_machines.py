"""Kernels for machines that this one is not: run where it can run them, read as assembly where it cannot."""

import os

import children
import pytest
from llvmlite import binding, ir

from fastlstm.compiled.made import Unit
from fastlstm.engine.compiling import compile_units
from fastlstm.kernels import machine
from fastlstm.kernels.sync import emit_pause
from fastlstm.kernels.tile import _emit_tile
from fastlstm.kernels.tiling import side_by_side
from fastlstm.kernels.vector import Emitter

AGREES = """
import numpy as np
import fastlstm
from fastlstm_lint.contract import Layer
from fastlstm.engine import Engine
from fastlstm.kernels import machine
from fastlstm.reference import Reference
from fastlstm.reference.narrow import NarrowReference
from fastlstm.spec import INFERENCE, TRAINING, Grads
assert machine.host().name == NAME, machine.host()
config = Layer(KIND, 5, 19, 2, bidirectional=True)
draw = np.random.default_rng(0)
parameters = {
    name: draw.standard_normal([axis.size for axis in shape]).astype(DTYPE) / 4
    for name, shape in config.parameters().items()
}
x = draw.standard_normal((9, 7, 5)).astype(DTYPE)
results = []
for engine in (Engine(config, DTYPE), Reference(config, np.dtype(DTYPE))):
    output, states, saved = engine.forward(parameters, 1, x, None, TRAINING)
    grad, _, gradients = engine.backward(parameters, 1, saved, Grads(np.ones_like(output)))
    results.append([output, *states, grad, *(gradients[name] for name in config.parameters())])
for found, expected in zip(*results, strict=True):
    tolerance = 1e-5 if DTYPE == "float32" else 1e-12
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
if DTYPE == "float32":  # and rounded weights, a step, so that no h lies so near between integers that rounding decides
    for weights in ("int8", "float16"):
        layer = fastlstm.quantize(getattr(fastlstm, KIND)(21, 19, seed=0), weights)
        x, h = draw.standard_normal((1, 7, 21)).astype(DTYPE), draw.standard_normal((1, 7, 19)).astype(DTYPE)
        states = (h, h)[: len(layer.config.state_names)]
        due = NarrowReference(layer.config).forward(layer.state_dict(), 0, x, states, INFERENCE)[0]
        found = layer(x, states if len(states) > 1 else h)[0]
        np.testing.assert_allclose(found, due, atol=2e-6)
"""
FORCE_SCALAR = "from fastlstm.kernels import machine\nmachine._from_features = lambda features: machine.SCALAR\n"

# Each compiles two kernels anew: about 20 s. haswell is this machine's own code where it has AVX2.
CASES = [
    ("sse", "nehalem", "LSTM", "float32", ""),
    ("scalar", "", "GRU", "float64", FORCE_SCALAR),
    pytest.param("avx2", "haswell", "GRU", "float32", "", marks=pytest.mark.slow),
    pytest.param("sse", "nehalem", "GRU", "float64", "", marks=pytest.mark.slow),
    pytest.param("sse", "x86-64", "LSTM", "float32", "", marks=pytest.mark.slow),
    pytest.param("scalar", "", "LSTM", "float32", FORCE_SCALAR, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "cpu", "kind", "dtype", "prelude"), CASES)
def test_agreement_with_the_reference(name, cpu, kind, dtype, prelude, tmp_path):
    features = binding.get_host_cpu_features()
    if name == "avx2" and not (features.get("avx2") and features.get("fma")):
        pytest.skip("this processor has no AVX2")
    environment = os.environ | {"FASTLSTM_CACHE": str(tmp_path)}
    if cpu:
        environment |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    program = f"NAME, KIND, DTYPE = {name!r}, {kind!r}, {dtype!r}\n" + prelude + AGREES
    done = children.python("-c", program, env=environment)
    assert done.returncode == 0, done.stderr


TARGETS = [
    (machine.AVX512, "x86_64-unknown-linux-gnu", "skylake-avx512", "vfmadd", "zmm"),
    (machine.AVX512, "x86_64-unknown-linux-gnu", "znver4", "vfmadd", "zmm"),
    (machine.AVX2, "x86_64-unknown-linux-gnu", "haswell", "vfmadd", "ymm"),
    (machine.AVX2, "x86_64-unknown-linux-gnu", "znver3", "vfmadd", "ymm"),  # several turns of the loop in one
    (machine.SSE, "x86_64-unknown-linux-gnu", "nehalem", "mulps", "xmm"),
    (machine.NEON, "aarch64-unknown-linux-gnu", "generic", "fmla", ".4s"),
]
FORMS = ["rows", "one row", "few rows", "rows, halves", "one row, halves", "few rows, halves"]


@pytest.mark.parametrize(
    ("target", "triple", "cpu", "instruction", "register", "form"),
    [(*target, form) for target in TARGETS for form in FORMS if target[0].halves or "halves" not in form],
)
def test_the_tile_becomes_vector_code(target, triple, cpu, instruction, register, form):
    """The loop multiplies whole registers, and its sums are not spilled: none is read from the stack."""
    halves = "halves" in form
    panels_1, few, panels_few = side_by_side(target, halves)
    rows, panels = {"rows": (target.tile_rows, 1), "one row": (1, panels_1), "few rows": (few, panels_few)}[
        form.removesuffix(", halves")
    ]
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    real, size = ir.FloatType().as_pointer(), ir.IntType(64)
    module = ir.Module()
    module.triple = triple
    kind = ir.FunctionType(ir.VoidType(), [real, size, size, real, size, size, real, size, size, real, size])
    function = ir.Function(module, kind, "tile")
    builder = ir.IRBuilder(function.append_basic_block())
    _emit_tile(builder, Emitter(builder, target, "float32"), rows, panels, halves, panels == 1, *function.args)
    builder.ret_void()
    parsed = binding.parse_assembly(str(module))
    made = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    pass_builder = binding.create_pass_builder(made, options)
    pass_builder.getModulePassManager().run(parsed, pass_builder)
    lines = made.emit_assembly(parsed).splitlines()
    products = [line for line in lines if instruction in line and register in line]
    assert len(products) >= rows * panels * target.tile_vectors
    assert not [line for line in products if "rsp" in line or "[sp" in line]
    calls = [line for line in lines if "fmaf" in line]
    assert not calls


@pytest.mark.skipif(machine.host().name not in ("avx2", "avx512"), reason="its registers are others")
def test_products_with_weights_made_wider_keep_their_sums_in_registers(monkeypatch):
    """In the whole kernel, where LLVM makes two or four turns of the loop into one."""
    monkeypatch.setattr(binding.TargetMachine, "emit_object", lambda made, module: made.emit_assembly(module).encode())
    (code,) = compile_units([Unit("multiply_halves", "float32")])
    products = [line for line in code.object.decode().splitlines() if "vfmadd" in line]
    assert len(products) > 100
    assert not [line for line in products if "rsp" in line]


@pytest.mark.parametrize(
    ("target", "triple", "instruction"),
    [
        (machine.NEON, "aarch64-unknown-linux-gnu", "yield"),
        (machine.NEON_DOT, "aarch64-unknown-linux-gnu", "yield"),
        (machine.AVX2, "x86_64-unknown-linux-gnu", "pause"),
        (machine.SCALAR, "riscv64-unknown-linux-gnu", None),
    ],
)
def test_a_spinning_loop_pauses_in_the_machine_s_own_words(target, triple, instruction):
    """Another machine's intrinsic would end the process inside LLVM."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = ir.Module()
    module.triple = triple
    builder = ir.IRBuilder(ir.Function(module, ir.FunctionType(ir.VoidType(), []), "spin").append_basic_block())
    emit_pause(builder, target)
    builder.ret_void()
    assert ("call" in str(module)) is (instruction is not None)
    if instruction is not None:
        lines = (
            binding.Target.from_triple(triple)
            .create_target_machine()
            .emit_assembly(binding.parse_assembly(str(module)))
        )
        assert f"\t{instruction}\n" in lines
