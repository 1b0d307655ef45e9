"""Chaos: drives the whole stack while things are killed, frozen and cut off, then checks that every promise held.

`make chaos`, or `python -m tests.chaos --seconds 180 --seed 7`. See docs/chaos.md.
"""
