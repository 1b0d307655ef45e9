"""`python -m services.notifier`: settings from the environment, logs, then serve until told to stop."""

from services.notifier.app import build
from services.notifier.settings import NotifierSettings
from shared.wiring.environment import settings_or_exit
from shared.wiring.logging import configure_logging
from shared.wiring.serve import serve


def main() -> None:
    """Run the notifier; blocks until it is stopped."""
    settings = settings_or_exit(NotifierSettings)
    configure_logging("notifier", settings.log_level, settings.log_format)
    notifier = build(settings)
    serve(notifier.app, settings.notifier_host, settings.notifier_port, on_stop=notifier.stop)


if __name__ == "__main__":
    main()
