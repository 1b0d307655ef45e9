"""What imports are fetched from: a server of our own with a video and something that is none."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

from deploy.local.ports import LOOPBACK, free_port
from tests.bench.file_server import FileHandler
from tests.media_files import video


@contextmanager
def sources(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the addresses that imports may name: `video`, `no-video`, and `nobody`, where nothing listens."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "video.mp4").write_bytes(video())
    (folder / "page.mp4").write_text("<!doctype html><title>This is no video</title>" * 40)
    server = ThreadingHTTPServer((LOOPBACK, 0), partial(FileHandler, folder))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://{LOOPBACK}:{server.server_address[1]}"
    try:
        yield {
            "video": f"{url}/video.mp4",
            "no-video": f"{url}/page.mp4",
            "nobody": f"http://{LOOPBACK}:{free_port()}/video.mp4",
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
