"""Evaluations and the benchmark board."""
