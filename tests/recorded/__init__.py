"""Recorded responses of real engines, with which the backends are tested where no engine runs.

A recording holds requests, responses, and the result of each step of `scenario.py`. `record.py` writes recordings.
"""
