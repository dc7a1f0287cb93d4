"""What the node uses of gpiozero, without what that would import besides (boards, colours, a search for plugins)."""

from node.stand_ins import stand_ins

with stand_ins(
    "colorzero",
    "gpiozero.boards",
    "gpiozero.internal_devices",
    "gpiozero.spi_devices",
    "importlib.metadata",
    "inspect",
    "statistics",
):
    from gpiozero import (
        BoardInfo,
        DigitalOutputDevice,
        Factory,
        GPIOPinInUse,
        HeaderInfo,
        InputDevice,
        PinFixedPull,
        PinInfo,
        PinInvalidBounce,
        PinInvalidEdges,
        PinInvalidFunction,
        PinInvalidPin,
        PinInvalidPull,
        PinSetInput,
    )

__all__ = [
    "BoardInfo",
    "DigitalOutputDevice",
    "Factory",
    "GPIOPinInUse",
    "HeaderInfo",
    "InputDevice",
    "PinFixedPull",
    "PinInfo",
    "PinInvalidBounce",
    "PinInvalidEdges",
    "PinInvalidFunction",
    "PinInvalidPin",
    "PinInvalidPull",
    "PinSetInput",
]
