"""What is changed: each operator of Cosmic Ray that turns a decision, and three that it lacks.

An operator of Cosmic Ray names the places in a syntax tree (parso's) where it can change something. Of its comparisons
and calculations only the opposite and the neighbour are used: ``<`` becomes ``>=`` and ``<=``. The others (``<`` to
``is``) fail at once or say the same again.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import IfStmt

Position = tuple[int, int]
Positions = Iterator[tuple[Position, Position]]

_COMPARISONS = (
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
)
_CALCULATIONS = (
    "Add_Sub",
    "Sub_Add",
    "Mul_Div",
    "Div_Mul",
    "FloorDiv_Mul",
    "Mod_FloorDiv",
    "BitOr_BitAnd",
    "BitAnd_BitOr",
)
_OTHERS = (
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
    "NumberReplacer",
)


class TurnMembership(Operator):
    """``in`` becomes ``not in``, and the other way round."""

    def mutation_positions(self, node: Any) -> Positions:
        """Where it stands."""
        if node.type == "comparison":
            for word in node.children[1::2]:
                if _words(word) in {"in", "not in"}:
                    yield word.start_pos, word.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Turn the ``index``-th of them."""
        places = [at for at in range(1, len(node.children), 2) if _words(node.children[at]) in {"in", "not in"}]
        at = places[index]
        node.children[at] = parso.parse(" in" if _words(node.children[at]) == "not in" else " not in")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Before and after."""
        return Example("x = a in b", "x = a not in b"), Example("x = a not in b", "x = a in b")


class TurnFurtherCondition(Operator):
    """``elif x`` becomes ``elif not x``, and so does the ``if`` of a comprehension: ``AddNot`` leaves them."""

    def mutation_positions(self, node: Any) -> Positions:
        """Where a condition stands."""
        for at in self._places(node):
            yield node.children[at].start_pos, node.children[at].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Turn the ``index``-th of them."""
        at = self._places(node)[index]
        node.children[at] = parso.parse(f" not ({node.children[at].get_code().strip()})")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Before and after."""
        return (
            Example("if a: pass\nelif b: pass", "if a: pass\nelif not (b): pass"),
            Example("[a for a in b if a]", "[a for a in b if not (a)]"),
        )

    def _places(self, node: Any) -> list[int]:
        if isinstance(node, IfStmt):
            return [at + 1 for at, each in enumerate(node.children) if _words(each) == "elif"]
        return [1] if node.type == "comp_if" else []


class LeaveOutCall(Operator):
    """A call whose value nobody uses becomes ``pass``. ``assert_never`` is left alone: it is never reached."""

    def mutation_positions(self, node: Any) -> Positions:
        """Where such a call is a statement of its own."""
        if node.type != "simple_stmt" or (call := node.children[0]).type != "atom_expr":
            return
        if _words(call).endswith(")") and call.get_first_leaf().value != "assert_never":
            yield call.start_pos, call.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Leave it out."""
        kept = node.children[0].get_first_leaf().prefix
        node.children[0] = parso.parse(f"{kept}pass")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Before and after."""
        return (Example("if a:\n    b(c)\n", "if a:\n    pass\n"),)


@cache
def operators() -> dict[str, Operator]:
    """Every operator that is used, by its name."""
    theirs = (
        *(f"ReplaceComparisonOperator_{each}" for each in _COMPARISONS),
        *(f"ReplaceBinaryOperator_{each}" for each in _CALCULATIONS),
        *_OTHERS,
    )
    ours = (TurnMembership, TurnFurtherCondition, LeaveOutCall)
    return {each: get_operator(f"core/{each}")() for each in theirs} | {each.__name__: each() for each in ours}


def _words(node: Any) -> str:
    return " ".join(node.get_code().split())
