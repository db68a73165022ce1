"""Faults between a client and an engine: recorded answers of a real engine, replayed with one fault each.

Start reading at `__main__.py`. `operations.py` lists what the client does, `record.py` records an engine's answers,
`cases.py` makes the faults, `replay.py` plays an answer with a fault in it, and `judge.py` sorts the outcomes.
"""
