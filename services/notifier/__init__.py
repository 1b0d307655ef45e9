"""Tells people what becomes of their videos: stored notifications, history, live streams."""
