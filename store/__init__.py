"""Runs, points and predictions in one SQLite file. No torch, no Textual, no recipe class."""
