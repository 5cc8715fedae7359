"""Widgets: each renders and posts; none reads the store."""
