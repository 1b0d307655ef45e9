"""Calls the workflow engine, at most once per attempt, and judges what comes back; owns the catalog."""
