"""Kill a program, or the engine's daemon, at random moments of every operation, and look at what is left behind.

Start reading at `__main__.py`. `operations.py` lists what the program does, `cases.py` kills it and judges the result,
`daemon.py` stops and kills the engine's daemon.
"""
