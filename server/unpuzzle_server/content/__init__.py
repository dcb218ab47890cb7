"""Sections and lessons."""
