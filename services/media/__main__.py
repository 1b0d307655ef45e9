"""Starts the media service: `python -m services.media`."""

from services.media.app import build
from services.media.settings import MediaSettings
from shared.wiring.environment import settings_or_exit
from shared.wiring.logging import configure_logging
from shared.wiring.serve import serve


def main() -> None:
    """Serve until told to stop."""
    settings = settings_or_exit(MediaSettings)
    configure_logging("media", settings.log_level, settings.log_format)
    service = build(settings)
    serve(service.app, settings.media_host, settings.media_port, on_stop=service.runtime.say_stopping)


if __name__ == "__main__":
    main()
