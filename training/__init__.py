"""Annotated mammograms in, a weights file and the proof of its worth out."""
