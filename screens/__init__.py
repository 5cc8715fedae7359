"""The places of the terminal interface. Textual; no torch."""
