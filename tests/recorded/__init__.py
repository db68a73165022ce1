"""Recorded responses of real engines, with which the backends are tested where no engine runs.

`python -m tests.recorded.record NAME` plays the scenario of `scenario.py` on the engine that CONTAINERKIT_ENGINE names,
and writes NAME.json here. Each recording holds the requests, the responses, and the result of each step.
"""
