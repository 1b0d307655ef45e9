"""The gateway whose answers are held against the contract."""

from tests.integration.gateway.conftest import gateway_stack, world

__all__ = ["gateway_stack", "world"]
