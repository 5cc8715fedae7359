"""What stored runs say when looked at together. Reads the store; no torch."""
