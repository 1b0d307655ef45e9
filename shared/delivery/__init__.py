"""Inbox, leased work and outbox: how events and jobs survive crashes. No business rules."""
