"""One file a format: from the text or the bytes of a file to columns."""
