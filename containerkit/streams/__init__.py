"""Byte streams from an engine, and the time limit of a call.

Streams use constant memory, can be closed from another thread, and raise when the connection is cut: they never end
early. This room imports only `errors` and `values`. Start reading in `stream.py`.
"""

from __future__ import annotations

from .attachment import Attachment
from .deadline import Cancellation, Deadline
from .frames import Output, demultiplex, whole_characters, whole_lines
from .stream import ByteStream, OutputStream, Stream

__all__ = [
    "Attachment",
    "ByteStream",
    "Cancellation",
    "Deadline",
    "Output",
    "OutputStream",
    "Stream",
    "demultiplex",
    "whole_characters",
    "whole_lines",
]
