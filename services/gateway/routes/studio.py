"""Studio, the page: `/` and its files under `/studio/`."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

STUDIO = Path(__file__).parents[1] / "studio"

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: https: http:",
        "media-src 'self' https: http:",
        "connect-src 'self'",
        "style-src 'self'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "object-src 'none'",
    )
)

# Asked anew each time, answered from the browser's copy where nothing changed.
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}


class _Files(StaticFiles):
    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(HEADERS)
        return response


def mount(app: FastAPI) -> None:
    """Serve the page."""

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> Response:
        return FileResponse(STUDIO / "index.html", headers=HEADERS)

    app.mount("/studio", _Files(directory=STUDIO), name="studio")
