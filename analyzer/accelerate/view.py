"""An array that was written to, read: kernels over it and over the windows of a file, which nobody may write to, are the same code."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import mode


def read_only(array: Any) -> Any:
    """The array, for helpers that only read it: numba compiles these once, instead of once more for what may be written."""
    return array


if mode() in ("jit", "checked"):
    import analyzer.accelerate.guarded  # noqa: F401, I001 before anything imports numba
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def read_only(typing: Any, array: Any) -> Any:
        """The same for kernels: another type, and nothing else."""
        seen = types.Array(array.dtype, array.ndim, array.layout, readonly=True, aligned=array.aligned)

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return arguments[0]

        return seen(array), emit
