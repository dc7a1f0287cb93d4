"""How long the broker may take for an answer: 3 s, twice as long after each drop for silence, at most 24 s.

A fixed deadline would livelock on a slow path: each connection would be dropped just before its answer arrives.
"""

from node.core.back_off import BackOff

HANDSHAKE, CONNECT, SUBSCRIBE, PUBLISH = "a TLS handshake", "CONNECT", "SUBSCRIBE", "a publish"

ANSWER_S = 3.0
ANSWER_MAX_S = 24.0


class AnswerTimeouts:
    """How long each kind of answer may take, in seconds; kept across sessions."""

    def __init__(self) -> None:
        self._limits = dict.fromkeys((HANDSHAKE, CONNECT, SUBSCRIBE, PUBLISH), ANSWER_S)

    def limit_s(self, kind: str) -> float:
        """The deadline for an answer of this kind."""
        return self._limits[kind]

    def answered(self, kind: str, after_s: float) -> None:
        """A quick answer resets the deadline of its kind. A slow answer doesn't, or a slow path would livelock."""
        if after_s <= ANSWER_S:
            self._limits[kind] = ANSWER_S

    def lengthen(self) -> None:
        """Double all deadlines: a path that is slow for one kind of answer is slow for every kind."""
        answer = BackOff(ANSWER_S, ANSWER_MAX_S)
        self._limits = {kind: answer.longer_s(limit_s) for kind, limit_s in self._limits.items()}
