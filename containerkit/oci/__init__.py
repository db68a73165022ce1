"""Images as the image-spec defines them: parse bytes, and return facts about them. It writes nothing, knows no engine.

Imports errors only. Start reading at :mod:`containerkit.oci.archive` (files) or :mod:`containerkit.oci.stream` (pipes).
"""
