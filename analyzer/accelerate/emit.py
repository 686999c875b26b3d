"""LLVM's intermediate language -> one object file: everything linked, optimised once, and emitted for any machine of this kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isqrt

import llvmlite.binding as llvm

from analyzer.fields import of_fields

PREFIX = "tcpcap_"
# The oldest machine of each architecture: newer instructions have made no kernel measurably faster.
CPU = {"x86_64": "x86-64", "amd64": "x86-64"}


@of_fields(frozen=True, slots=True)
class Kernel:
    """A function that Python calls. `symbol` is that of numba's own convention, `types` what the library agrees on."""

    name: str
    symbol: str
    types: str


@of_fields(frozen=True, slots=True)
class Texts:
    """What the front end made: kernels, and the modules (LLVM assembly) that they and all that they call are in."""

    kernels: list[Kernel]
    modules: list[str]


def entry_symbol(kernel: Kernel) -> str:
    """The name by which the loader finds a kernel."""
    return PREFIX + re.sub(r"\W", "_", kernel.name)


def emitted(texts: Texts, machine: str, triple: str = "", level: int = 3) -> bytes:
    """The object file that holds these kernels, optimised as far as `level` says (0 to 3)."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = triple or llvm.get_process_triple()
    target = llvm.Target.from_triple(triple).create_target_machine(
        cpu=CPU.get(machine, "generic"), opt=level, reloc="pic", codemodel="default"
    )
    whole = llvm.parse_assembly(f'target triple = "{triple}"\n')
    for several in _joined(texts.modules):
        whole.link_in(several)
    entries = set()
    for kernel in texts.kernels:
        whole.link_in(llvm.parse_assembly(_entry(whole, kernel)))
        entries.add(entry_symbol(kernel))
    for value in (*whole.functions, *whole.global_variables):
        if not value.is_declaration and value.name not in entries:
            value.linkage = "internal"
    whole.data_layout = str(target.target_data)
    whole.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(target, options)
    unused = llvm.create_new_module_pass_manager()  # what nothing calls, nobody need optimise
    unused.add_global_dead_code_eliminate_pass()
    unused.run(whole, builder)
    builder.getModulePassManager().run(whole, builder)
    return bytes(target.emit_object(whole))


def _joined(texts: list[str]) -> Iterator[llvm.ModuleRef]:
    """The modules of these texts, joined to some larger ones: whenever LLVM links one in, it goes through all that is there."""
    size = isqrt(len(texts)) + 1
    for start in range(0, len(texts), size):
        several = llvm.parse_assembly("")
        for text in texts[start : start + size]:
            module = llvm.parse_assembly(text)
            for function in module.functions:
                if not function.is_declaration and function.linkage == llvm.Linkage.external:
                    function.linkage = "weak_odr"  # several kernels brought their own copy of what they share
            several.link_in(module)
        yield several


def _entry(whole: llvm.ModuleRef, kernel: Kernel) -> str:
    """A function that takes the arguments of a kernel from an array of 64-bit words, and leaves its results in another.

    numba's own convention has an argument for each word, hundreds for some kernels: too many for ctypes.
    """
    parameters = [str(each.type) for each in whole.get_function(kernel.symbol).arguments]
    lines, passed = [], ["ptr %results", "ptr %error"]
    for position, kind in enumerate(parameters[2:]):
        lines.append(f"%p{position} = getelementptr i64, ptr %words, i64 {position}")
        lines.append(f"%w{position} = load i64, ptr %p{position}")
        if kind != "i64":
            lines.append(f"%a{position} = {'inttoptr' if kind == 'ptr' else 'trunc'} i64 %w{position} to {kind}")
        passed.append(f"{kind} %{'w' if kind == 'i64' else 'a'}{position}")
    body = "\n".join(lines)
    return f"""
declare i32 @"{kernel.symbol}"({", ".join(parameters)})
define i32 @{entry_symbol(kernel)}(ptr %words, ptr %results) {{
%error = alloca ptr
store ptr null, ptr %error
{body}
%status = call i32 @"{kernel.symbol}"({", ".join(passed)})
ret i32 %status
}}
"""
