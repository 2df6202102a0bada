"""Runs that were made elsewhere."""
