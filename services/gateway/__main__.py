"""`python -m services.gateway`: serve until told to stop."""

from services.gateway.app import build
from services.gateway.settings import GatewaySettings
from shared.wiring.environment import settings_or_exit
from shared.wiring.logging import configure_logging
from shared.wiring.serve import serve


def main() -> None:
    """Read the settings, build, serve."""
    settings = settings_or_exit(GatewaySettings)
    configure_logging("gateway", settings.log_level, settings.log_format)
    gateway = build(settings)
    serve(gateway.app, settings.gateway_host, settings.gateway_port, on_stop=gateway.say_stopping)


if __name__ == "__main__":
    main()
