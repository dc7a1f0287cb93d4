"""Real HTTP receivers, and an outbox in memory."""

import logging
from collections.abc import Iterator

import pytest

from node.monitor import notify
from tests.support.outbox import MemoryOutbox
from tests.support.receivers import HttpReceiver, Record


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A started HTTP receiver."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def other() -> Iterator[HttpReceiver]:
    """A second one."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def outbox() -> MemoryOutbox:
    """An empty outbox."""
    return MemoryOutbox()


@pytest.fixture
def logged() -> Iterator[Record]:
    """What the teller's threads log."""
    lines = Record()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.add(record.getMessage())

    handler, logger = Handler(), logging.getLogger(notify.__name__)
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)
