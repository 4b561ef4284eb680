"""Where the processes of one machine put their numbers, for who starts them and counts nothing itself."""

from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder to a process; read by prometheus_client when it is imported."""


def prepare_folder(data_dir: str | Path) -> Path:
    """Return the folder for the numbers of this machine's processes, making it when it is not there."""
    folder = Path(data_dir) / "metrics"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
