import concurrent.futures
import stat
from pathlib import Path

from scim_bridge import secrets


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    key = secrets.installation_key(tmp_path / "data")
    assert len(key) == 32
    assert secrets.installation_key(tmp_path / "data") == key
    assert stat.S_IMODE((tmp_path / "data" / secrets.KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_processes_that_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: secrets.installation_key(tmp_path), range(64)))
    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == [secrets.KEY_FILE]


def test_equal_values_have_equal_fingerprints_under_one_key_only() -> None:
    assert secrets.fingerprint(b"a", "x") == secrets.fingerprint(b"a", "x")
    assert secrets.fingerprint(b"a", "x") != secrets.fingerprint(b"b", "x")
    assert secrets.fingerprint(b"a", "x") != secrets.fingerprint(b"a", "y")


def test_digests_differ_by_key_label_and_part() -> None:
    digests = {
        secrets.digest(b"a", "x", b"1", b"2"),
        secrets.digest(b"b", "x", b"1", b"2"),
        secrets.digest(b"a", "y", b"1", b"2"),
        secrets.digest(b"a", "x", b"12"),
        secrets.digest(b"a", "x1", b"2"),
        secrets.digest(b"a", "x", b"", b"12"),
    }
    assert len(digests) == 6
    assert secrets.digest(b"a", "x", b"1", b"2") in digests
