"""The rendered files on disk: drafts while they are written, published in one step when they are whole."""

from pathlib import Path


class VideoFiles:
    """The files of one data folder and the addresses they are served under."""

    def __init__(self, data_dir: Path, public_url: str) -> None:
        """Make the folder and throw away the drafts that a killed engine left."""
        self._folder = data_dir.resolve() / "files"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._public_url = public_url.rstrip("/")
        for draft in self._folder.glob("*.part"):
            draft.unlink()

    def draft(self, execution_id: str) -> Path:
        """Return where the file is written to; nothing serves it from there."""
        return self._folder / f"{execution_id}.mp4.part"

    def publish(self, execution_id: str) -> None:
        """Make a finished draft visible."""
        self.draft(execution_id).replace(self._path(execution_id))

    def discard(self, execution_id: str) -> None:
        """Throw a draft away, if there is one."""
        self.draft(execution_id).unlink(missing_ok=True)

    def find(self, execution_id: str) -> Path | None:
        """Return the published file of an execution, or None."""
        path = self._path(execution_id)
        return path if execution_id.isdigit() and path.is_file() else None

    def url(self, execution_id: str) -> str:
        """Return the public address of an execution's file."""
        return f"{self._public_url}/files/{execution_id}.mp4"

    def _path(self, execution_id: str) -> Path:
        return self._folder / f"{execution_id}.mp4"
