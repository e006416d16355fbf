"""What the system says of the CPU, beside what LLVM says."""

from __future__ import annotations

import pytest
from buildhook import hook
from llvmlite import binding

from fastlstm.kernels import cpu, machine

LINUX = cpu.system().startswith("x86_64-linux")
SAID = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: A CPU: of two words
stepping\t: 8
microcode\t: 0x2b
cpu MHz\t\t: 2000.0
flags\t\t: fpu sse sse2 pni ssse3 fma sse4_1 avx avx2 bmi1 avx512f avx512dq avx512bw avx512vl avx512_vnni lahf_lm abm

processor\t: 1
flags\t\t: sse2 later
"""


@pytest.mark.skipif(not LINUX, reason="elsewhere LLVM is asked")
def test_it_agrees_with_llvm_about_every_feature_that_matters() -> None:
    said = cpu.said()
    assert said is not None
    words, there = set(said.features.split(",")), binding.get_host_cpu_features()
    asked = {name for names in hook().FEATURES.values() for name in names.split()} | {
        "avx512vnni",
        "ssse3",
        "vaes",
    }
    assert {name for name in asked if f"+{name}" in words} == {name for name in asked if there.get(name)}


def test_of_many_processors_the_first_is_read() -> None:
    said = cpu.parsed(SAID)
    assert said is not None
    assert said.name == "GenuineIntel 6 143 8 A CPU: of two words"
    words = {word[1:] for word in said.features.split(",")}
    assert {"sse3", "sse4.1", "bmi", "sahf", "lzcnt", "avx512vnni"} <= words
    assert "later" not in words
    assert machine._from_features(words) == machine.AVX512_VNNI


@pytest.mark.parametrize("text", ["", "processor\t: 0\nFeatures\t: fp asimd\n", "flags\t: none\n", "\n\n" + SAID])
def test_words_that_are_not_known_are_not_believed(text: str) -> None:
    assert cpu.parsed(text) is None


def test_where_the_system_does_not_say_it_llvm_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CPU_NAME", raising=False)
    monkeypatch.delenv("NUMBA_CPU_FEATURES", raising=False)
    monkeypatch.setattr(cpu, "said", lambda: None)
    found = machine.machine_words.__wrapped__()
    assert found == (machine.target().cpu, machine.target().features)


def test_a_named_machine_is_made_for_instead_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert machine.machine_words.__wrapped__() == ("generic", "")
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v3")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2,+fma")
    assert machine.machine_words.__wrapped__() == ("x86-64-v3", "+avx2,+fma")
