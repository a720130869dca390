"""The state folder: private or refused, one per API URL, with keys and the living beside it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.origins import process_may_live
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from tests.guard.children import ROOT, Child, race

PRODUCTION = "https://api.losant.com"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "state"


def refusal(base: Path, api_url: str = PRODUCTION) -> tuple[str, str]:
    """What is said, and what to do about it."""
    with pytest.raises(ConfigurationError) as error:
        open_state_dir(base, api_url)
    return str(error.value), error.value.hint


# ---- the folder ----------------------------------------------------------------------------


def test_a_fresh_folder_has_its_places(base: Path) -> None:
    """What is missing is made; opened again, it is the same folder."""
    state = open_state_dir(base, PRODUCTION)
    assert state.path.parent == base
    assert state.database == state.path / "state.sqlite"
    assert state.audit == state.path / "audit.jsonl"
    assert {state.backups, state.keys, state.origins} == set(state.path.iterdir())
    assert open_state_dir(base, PRODUCTION) == state


@posix
def test_every_folder_is_for_its_owner_alone(base: Path) -> None:
    """Whatever the umask, nobody else may look into what is made."""
    before = os.umask(0)
    try:
        state = open_state_dir(base, PRODUCTION)
        state.key()
        origin = state.claim_origin()
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (base, *base.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    origin.close()


def test_each_api_url_has_a_folder_of_its_own(base: Path) -> None:
    """Hosts, ports and schemes are told apart; a slash, case and the default port are not."""
    urls = [
        PRODUCTION,
        "https://api.eu.losant.com",
        "https://api.losant.com:8443",
        "http://127.0.0.1:8700",
        "http://127.0.0.1:8701",
        "http://[::1]:8700",
        "http://localhost:8700",
        "https://localhost:8700",
    ]
    names = [open_state_dir(base, url).path.name for url in urls]
    assert len(set(names)) == len(urls)
    assert names[0].startswith("api.losant.com-")
    assert names[3].startswith("127.0.0.1-")
    for same in ("https://API.losant.com/", "https://api.losant.com:443"):
        assert open_state_dir(base, same).path.name == names[0]


@pytest.mark.parametrize("url", ["https://..", "https://../../etc", "https://" + "a" * 300])
def test_a_strange_host_stays_below_the_folder(base: Path, url: str) -> None:
    """No URL names a folder elsewhere, or one that is too long for a file system."""
    assert open_state_dir(base, url).path.parent == base


def test_an_impossible_port_is_refused(base: Path) -> None:
    """What is no URL has no folder."""
    assert refusal(base, "https://api.losant.com:99999999")[0] == "The API URL is not a URL."


def test_without_a_choice_it_is_the_platforms_data_folder(tmp_path: Path) -> None:
    """A process of its own, with a home of its own, finds its folder there."""
    code = (
        "from losant_mcp.guard.state_dir import open_state_dir\n"
        "print(open_state_dir(None, 'https://api.losant.com').path)"
    )
    home = {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path), "USERPROFILE": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if k != "XDG_DATA_HOME"}, **home},
        capture_output=True,
        text=True,
        check=True,
    )
    path = Path(answer.stdout.strip())
    assert path.is_relative_to(tmp_path)
    assert path.parent.name == "losant-mcp"


@posix
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o707, 0o701, 0o777])
@pytest.mark.parametrize("which", ["base", "path", "backups", "keys", "origins"])
def test_a_folder_that_others_can_enter_is_refused(base: Path, which: str, mode: int) -> None:
    """Each folder is looked at, every time, and the answer is the command that closes it."""
    state = open_state_dir(base, PRODUCTION)
    folder = base if which == "base" else getattr(state, which)
    folder.chmod(mode)
    assert refusal(base) == (
        f"{folder} is open to other users, so plans and backups are not safe in it.",
        f"Run: chmod 700 {folder}",
    )
    folder.chmod(0o700)
    assert open_state_dir(base, PRODUCTION) == state


@posix
@pytest.mark.parametrize("which", ["base", "path", "backups"])
def test_a_link_is_refused(base: Path, tmp_path: Path, which: str) -> None:
    """A folder that is somewhere else may be anybody's."""
    state = open_state_dir(base, PRODUCTION)
    folder = base if which == "base" else getattr(state, which)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert refusal(base) == (
        f"{folder} is a link, so plans and backups are not safe in it.",
        "Name the folder that it points to.",
    )


def test_a_link_further_up_is_fine(tmp_path: Path) -> None:
    """Systems link whole disks and homes; what counts is the folder itself."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    state = open_state_dir(tmp_path / "home" / "state", PRODUCTION)
    assert state.backups.is_dir()


@posix
def test_a_folder_that_anybody_could_replace_is_refused(tmp_path: Path) -> None:
    """A parent that all may write is refused, unless it is sticky, as /tmp is."""
    parent = tmp_path / "shared"
    parent.mkdir()
    parent.chmod(0o777)
    words, hint = refusal(parent / "state")
    assert "could be replaced by anybody" in words
    assert hint == f"Run: chmod o-w {parent.resolve()}, or name another folder."
    assert list(parent.iterdir()) == []
    parent.chmod(0o1777)
    open_state_dir(parent / "state", PRODUCTION)


@posix
@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away"
)
def test_a_folder_of_another_user_is_refused(base: Path) -> None:
    """Even root does not use what belongs to somebody else."""
    open_state_dir(base, PRODUCTION)
    os.chown(base, 12345, 12345)
    assert refusal(base) == (
        f"{base} belongs to another user, so plans and backups are not safe in it.",
        (
            "Run the server as that user, or name a folder of your own with LOSANT_MCP_STATE_DIR; "
            "one that does not exist yet is made."
        ),
    )


def test_a_file_in_its_place_is_refused(base: Path) -> None:
    """Nothing is overwritten."""
    base.write_text("mine")
    assert refusal(base)[0] == (f"{base} is not a folder, so plans and backups are not safe in it.")
    assert base.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """The system's own reason is told."""
    (tmp_path / "file").touch()
    words, hint = refusal(tmp_path / "file" / "state")
    assert words.startswith("The state folder cannot be used: ")
    assert hint == "Name a writable folder of your own with LOSANT_MCP_STATE_DIR."


# ---- keys ----------------------------------------------------------------------------------


def test_a_key_is_drawn_once_and_kept(base: Path) -> None:
    """Each name and each API URL has a key of its own, which stays the same."""
    state = open_state_dir(base, PRODUCTION)
    sandbox = open_state_dir(base, "http://127.0.0.1:8700")
    keys = [state.key(), state.key("audit"), sandbox.key()]
    assert [len(key) for key in keys] == [32, 32, 32]
    assert len(set(keys)) == 3
    again = open_state_dir(base, PRODUCTION)
    assert [again.key(), again.key("audit")] == keys[:2]
    assert {path.name for path in state.keys.iterdir()} == {"state", "audit"}


def test_processes_that_draw_at_once_have_one_key(base: Path) -> None:
    """Whoever is later takes the key of whoever was faster."""
    open_state_dir(base, PRODUCTION)
    keys = race(*[("key", str(base))] * 4)
    assert len(set(keys)) == 1
    assert open_state_dir(base, PRODUCTION).key().hex() == keys[0]


@pytest.mark.parametrize("name", ["", "..", "a/b", "Key", "key.pem"])
def test_a_key_has_a_plain_name(base: Path, name: str) -> None:
    """No name leads out of the folder of keys."""
    with pytest.raises(ValueError):
        open_state_dir(base, PRODUCTION).key(name)


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_key_of_another_length_is_refused(base: Path, content: bytes) -> None:
    """A file that was cut or replaced is not a key, and no other one is drawn in its place."""
    state = open_state_dir(base, PRODUCTION)
    path = state.keys / "state"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as error:
        state.key()
    assert "does not hold 32 bytes" in str(error.value)
    assert path.read_bytes() == content


@posix
def test_a_key_that_others_can_read_is_refused(base: Path) -> None:
    """A key is a secret or it is nothing."""
    state = open_state_dir(base, PRODUCTION)
    state.key()
    (state.keys / "state").chmod(0o644)
    with pytest.raises(ConfigurationError) as error:
        state.key()
    assert error.value.hint == f"Run: chmod 600 {state.keys / 'state'}"


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_key_that_is_a_link_is_refused(base: Path, tmp_path: Path, there: bool) -> None:
    """Neither a key elsewhere nor one that is still to be written there."""
    state = open_state_dir(base, PRODUCTION)
    if there:
        (tmp_path / "key").write_bytes(b"k" * 32)
    (state.keys / "state").symlink_to(tmp_path / "key")
    with pytest.raises(ConfigurationError):
        state.key()
    assert (tmp_path / "key").exists() == there


# ---- origins -------------------------------------------------------------------------------


def test_an_origin_is_alive_until_it_is_closed(base: Path) -> None:
    """Each has a name of its own, which goes with it."""
    state = open_state_dir(base, PRODUCTION)
    first, second = state.claim_origin(), state.claim_origin()
    assert set(state.alive_origins()) == {first.name, second.name}
    first.close()
    first.close()
    assert state.alive_origins() == (second.name,)
    second.close()
    assert state.alive_origins() == ()
    assert list(state.origins.iterdir()) == []


def test_another_process_is_alive_until_it_is_killed(base: Path) -> None:
    """SIGKILL ends its origin at once, even where a child of it lives on."""
    state = open_state_dir(base, PRODUCTION)
    mine = state.claim_origin()
    other = Child("origin", str(state.origins))
    name, grandchild = other.told()
    other.wait_until_ready()
    try:
        assert set(state.alive_origins()) == {mine.name, name}
        assert set(state.alive_origins()) == {mine.name, name}
        other.process.kill()
        other.process.wait(timeout=30)
        assert state.alive_origins() == (mine.name,)
        assert [path.name for path in state.origins.iterdir()] == [mine.name]
    finally:
        if hasattr(os, "fork"):
            os.kill(grandchild, signal.SIGKILL)
        other.kill()
        mine.close()


def test_a_name_is_alive_even_if_others_look_while_it_is_claimed(base: Path) -> None:
    """Whoever clears the dead away never takes a newcomer for one of them."""
    state = open_state_dir(base, PRODUCTION)
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            state.alive_origins()

    with ThreadPoolExecutor() as threads:
        looking = [threads.submit(look) for _ in range(3)]
        claimed = [state.claim_origin() for _ in range(200)]
        done.set()
        for one in looking:
            one.result()
    assert set(state.alive_origins()) == {origin.name for origin in claimed}
    for origin in claimed:
        origin.close()


def test_who_looks_does_not_seem_alive_to_others_who_look(base: Path) -> None:
    """The dead are dead to everybody, also while somebody else is looking at them."""
    fcntl = pytest.importorskip("fcntl", reason="Windows has no shared locks")
    state = open_state_dir(base, PRODUCTION)
    with (state.origins / f"1-{'0' * 16}").open("w") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        assert state.alive_origins() == ()
        assert list(state.origins.iterdir()) == []


def test_other_files_are_no_origins(base: Path) -> None:
    """What somebody left in the folder is neither alive nor removed."""
    state = open_state_dir(base, PRODUCTION)
    (state.origins / "notes.txt").write_text("mine")
    assert state.alive_origins() == ()
    assert (state.origins / "notes.txt").read_text() == "mine"


@posix
def test_without_locks_the_process_number_has_to_do() -> None:
    """A process that is there may be alive; one that is not there is dead."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert process_may_live(f"{os.getpid()}-{'0' * 16}")
    assert process_may_live(f"1-{'0' * 16}")
    assert not process_may_live(f"{gone.pid}-{'0' * 16}")
    assert not process_may_live("notes.txt")


WINDOWS_LIKE = """
import os, random, sys
import filelock, platformdirs
for name in ("geteuid", "O_NOFOLLOW", "O_CLOEXEC", "link", "register_at_fork"):
    delattr(os, name)
from pathlib import Path
from losant_mcp.guard.state_dir import open_state_dir
state = open_state_dir(Path(sys.argv[1]), "https://api.losant.com")
origin = state.claim_origin()
assert state.key() == state.key() and len(state.key()) == 32
assert state.alive_origins() == (origin.name,)
origin.close()
"""


@posix
def test_nothing_here_needs_what_only_posix_has(base: Path) -> None:
    """Without users, hard links and flags that Windows lacks, the folder works."""
    subprocess.run([sys.executable, "-c", WINDOWS_LIKE, str(base)], cwd=ROOT, check=True)
    assert open_state_dir(base, PRODUCTION).key() == StateDir(next(base.iterdir())).key()
