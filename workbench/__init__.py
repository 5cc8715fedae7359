"""What a run is and how it is carried out. No Textual, no SQL."""

__version__ = "0.1.0"
