"""Images as the image-spec defines them: bytes in, facts out. Knows no engine and writes nothing."""
