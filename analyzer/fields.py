"""Classes that are their fields: dataclasses, made in a quarter of the time, of which a start makes seventy.

dataclasses compiles a text for each method of each class. What methods only differ in by the names of the fields - to compare, hash,
show, keep as it is - is shared here, so that `__init__` alone is compiled. `fields`, `replace` and `asdict` take them as they take its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

Class = TypeVar("Class")
Method = Callable[..., Any]


@dataclass_transform(field_specifiers=(field,))
def of_fields(*, frozen: bool = False, slots: bool = False) -> Callable[[type[Class]], type[Class]]:
    """As `dataclass(frozen=frozen, slots=slots)`: equal where class and fields are, hashable where it is frozen; what the class defines itself stays.

    Without `InitVar`, and none inherits from a plain dataclass or the other way round where one of them is frozen.
    """

    def made(plain: type[Class]) -> type[Class]:
        own = {
            name for name, value in vars(plain).items() if name != "__hash__" or value is not None
        }  # which Python puts beside an __eq__
        found = dataclass(slots=slots, init=False, eq=False, repr=False)(plain)
        every = fields(found)  # type: ignore[arg-type]
        compared = _values(each.name for each in every if each.compare)
        methods = {
            "__init__": _init(every, frozen, hasattr(found, "__post_init__"), found.__module__),
            "__repr__": _shown([each.name for each in every if each.repr]),
            "__eq__": _equal(compared),
        }
        if frozen:
            methods |= _kept(frozenset(each.name for each in every), found) | {"__hash__": _hashed(compared)}
        if frozen and slots:
            methods |= _carried([each.name for each in every])
        for name, method in methods.items():
            if name not in own:
                method.__qualname__ = f"{found.__qualname__}.{name}"
                setattr(found, name, method)
        if not frozen and "__hash__" not in own:  # of what is equal today and not tomorrow there is none
            found.__hash__ = None  # type: ignore[assignment, method-assign]
        return found

    return made


class _Absent:
    """Stands for what is made anew for each."""

    def __repr__(self) -> str:
        return "<factory>"


_ABSENT = _Absent()


def _init(every: Sequence[Field[Any]], frozen: bool, more: bool, module: str) -> Method:
    """Takes the fields, with their defaults, and puts them in place."""
    names: dict[str, Any] = {"_absent": _ABSENT, "_set": object.__setattr__, "__name__": module}
    places: list[str] = []
    named: list[str] = []
    body = ["self.__post_init__()"] if more else []
    for number, each in enumerate(every):
        value, default = each.name, ""
        if each.default is not MISSING:
            names[f"_default{number}"], default = each.default, f"=_default{number}"
            value = each.name if each.init else f"_default{number}"
        elif each.default_factory is not MISSING:
            names[f"_make{number}"], default = each.default_factory, "=_absent"
            value = f"_make{number}() if {each.name} is _absent else {each.name}" if each.init else f"_make{number}()"
        if each.init:
            (named if each.kw_only else places).append(each.name + default)
        elif not default:
            continue  # __post_init__ gives it
        line = f"_set(self, {each.name!r}, {value})" if frozen else f"self.{each.name} = {value}"
        body.insert(len(body) - more, line)
    given = ", ".join(["self", *places, *(["*", *named] if named else [])])
    exec(f"def __init__({given}):\n " + "\n ".join(body or ["pass"]), names)
    made: Method = names["__init__"]
    made.__annotations__ = {each.name: each.type for each in every if each.init} | {"return": None}
    return made


def _values(names: Iterable[str]) -> Callable[[Any], Any]:
    """What the fields of these names hold."""
    listed = tuple(names)
    if len(listed) == 1:  # a tuple, too: what is the same object is equal in it
        (name,) = listed
        return lambda self: (getattr(self, name),)
    return attrgetter(*listed) if listed else lambda _: ()


def _equal(values: Callable[[Any], Any]) -> Method:
    def __eq__(self: Any, other: Any) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hashed(values: Callable[[Any], Any]) -> Method:
    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _shown(names: list[str]) -> Method:
    @recursive_repr()
    def __repr__(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _kept(names: frozenset[str], of: Any) -> dict[str, Method]:
    """Nothing of it is set, nor deleted; a class below may have more, which can."""

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if type(self) is of or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(of, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is of or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(of, self).__delattr__(name)

    return {"__setattr__": __setattr__, "__delattr__": __delattr__}


def _carried(names: list[str]) -> dict[str, Method]:
    """What is frozen and has slots is taken apart and put together for copies and other processes."""

    def __getstate__(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return {"__getstate__": __getstate__, "__setstate__": __setstate__}
