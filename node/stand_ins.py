"""Lets a library start without the modules that it imports and never needs here.

gpiozero and paho-mqtt import importlib.metadata, statistics, urllib.request and others for what this program has no use
for. These bring e-mail, zip files, fractions and HTTP: more than the two libraries themselves. A node on a slow board
would wait for them before it reads its button, and keep them in memory.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


@contextmanager
def stand_ins(*names: str) -> Iterator[None]:
    """In this context, importing one of these modules gives a stand-in, unless the module is already there.

    Whatever is taken from a stand-in is a function that imports the real module when it is called. So a library that
    does need one still works, only later. A class of a stand-in can be called, but nothing can inherit from it.
    """
    placed = {name: StandIn(name) for name in names if name not in sys.modules}
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name, stand_in in placed.items():
            del sys.modules[name]
            package, _, last = name.rpartition(".")
            if package in sys.modules and not hasattr(sys.modules[package], last):
                setattr(sys.modules[package], last, stand_in)  # `import urllib.request` finds it there


class StandIn(ModuleType):
    """Has every public name, each a function that calls what the real module has by this name."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any, **more: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*arguments, **more)

        return call
