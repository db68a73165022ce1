"""Write files of untrusted archives and images to this machine, so that nothing is written outside of the target.

Imports errors only. Start reading at :mod:`containerkit.unpack.extract`.
"""
