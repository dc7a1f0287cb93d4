"""All operations of the API: its routes, its rights and its description are made of them."""

from node.monitor.api.operations import actions, lookups
from node.monitor.api.operations.operation import Operation

PREFIX = "/api/v1"

OPERATIONS: tuple[Operation, ...] = tuple(
    declared for module in (lookups, actions) for declared in vars(module).values() if isinstance(declared, Operation)
)
