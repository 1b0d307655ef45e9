"""`python -m services.generator`: serve until SIGTERM."""

from services.generator.app import build
from services.generator.settings import GeneratorSettings
from shared.wiring.environment import settings_or_exit
from shared.wiring.logging import configure_logging
from shared.wiring.serve import serve


def main() -> None:
    """Run the service."""
    settings = settings_or_exit(GeneratorSettings)
    configure_logging("generator", settings.log_level, settings.log_format)
    app, runtime = build(settings)
    serve(app, settings.generator_host, settings.generator_port, on_stop=runtime.say_stopping)


if __name__ == "__main__":
    main()
