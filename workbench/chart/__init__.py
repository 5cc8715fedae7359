"""Series of numbers as rows of text."""
