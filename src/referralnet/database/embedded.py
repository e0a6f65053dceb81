"""A private PostgreSQL for trying and testing: no network, no password, gone when this process is gone.

For production, REFERRALNET_DATABASE_URL names a server.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

from referralnet.database.embedded_account import ServerAccount
from referralnet.database.embedded_data import SUPERUSER, create_data
from referralnet.database.embedded_errors import EmbeddedPostgresError
from referralnet.database.embedded_leftovers import make_way
from referralnet.database.embedded_programs import Programs, find_programs

DATABASE = "referralnet"

_SHARED_STATE = Path("/var/lib/referralnet")
_SLOTS_MAX = 16
_SOCKET_PATH_BYTES_MAX = 100  # the kernel's limit for a socket's path is 104 to 108
_START_SECONDS_MAX = 120  # a crash may have left much to recover
_STOP_SECONDS_MAX = 30

_ALWAYS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The server's log may not repeat what people wrote (U3, P4): no statements, no "Failing row contains ...".
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class EmbeddedPostgres:
    """A server of our own in the foreground of this process, for as long as it runs.

    Start it from the main thread: Linux ends it when the thread that started it ends. It is a process group of its own,
    so that Ctrl-C reaches this program alone, which finishes its work and then stops the server.

    Under `folder` each run that goes on at the same time has a numbered slot with its own data; the first free slot is
    taken, so that data is found again.
    """

    def __init__(self, folder: Path, *, durable: bool = True, shared_state: Path = _SHARED_STATE) -> None:
        """
        Args:
            folder: where data is kept; made when missing.
            durable: False for tests, whose data may be lost with the machine.
            shared_state: used by root alone, where `nobody` cannot reach `folder` or the programs.
        """
        self._folder = folder.absolute()
        self._durable = durable
        self._shared_state = shared_state
        self._account = ServerAccount.choose()
        self._programs: Programs | None = None
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._slot: Path | None = None
        self._sockets: Path | None = None

    @property
    def slot(self) -> Path:
        """The folder this server keeps its data in; known once it has started."""
        if self._slot is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL has not been started")
        return self._slot

    @property
    def process_id(self) -> int:
        """Of the server's first process; known while it runs."""
        if self._server is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running")
        return self._server.pid

    @property
    def sockets(self) -> Path:
        """The folder of the server's socket; known while it runs."""
        if self._sockets is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running")
        return self._sockets

    def url(self, role: str, database: str = DATABASE) -> str:
        """Where SQLAlchemy finds `database` as `role`, by asyncpg."""
        return f"postgresql+asyncpg://{quote(role)}@/{quote(database)}?host={quote(str(self.sockets))}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, with ReferralNet's roles and its database made where they are missing.

        Raises:
            EmbeddedPostgresError: it cannot start here; nothing is left running.
        """
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedPostgresError("start the embedded PostgreSQL from the main thread: it ends with its thread")
        try:
            self._slot = self._take_slot(self._reachable_folder())
            self._programs = self._fitting_programs(self._slot / "data")
            if not (self._slot / "data").is_dir():
                create_data(self._slot / "data", self._account, self._programs, durable=self._durable)
            make_way(self._slot / "data")
            self._sockets = self._socket_folder(self._slot)
            self._launch(self._slot / "data", self._sockets)
            self._create_roles_and_database()
        except PermissionError as error:
            self.stop()
            raise EmbeddedPostgresError(
                f"{error.filename} belongs to another account: use another folder, or start as that account"
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and wait for its end; what it had committed stays. Does nothing where none runs."""
        if self._server is not None:
            self._end(self._server)
            self._server = None
        if self._sockets is not None:
            if self._sockets.parent != self._slot:
                shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _reachable_folder(self) -> Path:
        """`folder`, or for root a stand-in for it that `nobody` reaches; parents keep their modes."""
        for folder in (self._folder, self._shared_state / f"{self._folder.name}-{_short_hash(self._folder)}"):
            if not folder.exists():
                folder.mkdir(mode=0o711, parents=True)
                folder.chmod(0o711 if not self._account.ours else 0o700)
            if self._account.reaches(folder):
                return folder
        raise EmbeddedPostgresError(f"the account `nobody` reaches neither {self._folder} nor {self._shared_state}")

    def _take_slot(self, folder: Path) -> Path:
        for number in range(1, _SLOTS_MAX + 1):
            slot = folder / str(number)
            self._account.make_private(slot)
            lock = os.open(slot / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self._lock = lock
            return slot
        raise EmbeddedPostgresError(f"{_SLOTS_MAX} servers are running in {folder} already")

    def _fitting_programs(self, data: Path) -> Programs:
        version = data / "PG_VERSION"
        major_version = int(version.read_text()) if version.is_file() else None
        return find_programs(self._account, major_version=major_version, copies=self._shared_state)

    def _program(self, name: str) -> Path:
        assert self._programs is not None, "programs are found before they are run"
        return self._programs.path(name)

    def _socket_folder(self, slot: Path) -> Path:
        sockets = slot / "socket"
        if len(os.fsencode(sockets / ".s.PGSQL.5432")) > _SOCKET_PATH_BYTES_MAX:
            sockets = Path(tempfile.mkdtemp(prefix="referralnet-", dir="/tmp"))
        else:
            shutil.rmtree(sockets, ignore_errors=True)  # a killed server's socket and its note would stand in the way
        self._account.make_private(sockets)
        return sockets

    def _launch(self, data: Path, sockets: Path) -> None:
        options = _ALWAYS | ({} if self._durable else _FORGETFUL) | {"unix_socket_directories": str(sockets)}
        launcher = Path(__file__).with_name("embedded_launch.py")
        death_signal = "SIGINT" if self._durable else "SIGQUIT"
        who = [str(os.getpid()), death_signal, str(self._account.user_id), str(self._account.group_id)]
        command = [sys.executable, "-I", "-S", str(launcher), *who, str(self._program("postgres")), "-D", str(data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (data.parent / "server.log").open("wb") as log:
            self._server = subprocess.Popen(  # noqa: S603
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        self._wait_until_ready(data, self._server)

    def _wait_until_ready(self, data: Path, server: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < give_up_at:
            if server.poll() is not None:
                break
            try:
                lines = (data / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                lines = []
            # An older file may still lie there: its process id tells.
            if len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.01)
        log = (data.parent / "server.log").read_text(errors="replace").splitlines()[-10:]
        raise EmbeddedPostgresError("PostgreSQL did not start:\n" + "\n".join(log))

    def create_database(self, name: str) -> None:
        """Make an empty database that belongs to the owner role; `name` is a plain word."""
        self._sql("-c", f"create database {name} owner referralnet_owner template template0")

    def _create_roles_and_database(self) -> None:
        self._sql("-f", str(Path(__file__).with_name("roles.sql")))
        if not self._sql("-c", f"select 1 from pg_database where datname = '{DATABASE}'"):  # noqa: S608 (a constant)
            self.create_database(DATABASE)

    def _sql(self, *arguments: str) -> str:
        connection = ["-h", str(self._sockets), "-U", SUPERUSER, "-d", "postgres"]
        command = [str(self._program("psql")), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *connection, *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"psql failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def _end(self, server: subprocess.Popen[bytes]) -> None:
        # SIGINT: a fast shutdown, everything written out. SIGQUIT: at once, recovered at the next start.
        for number in (signal.SIGINT if self._durable else signal.SIGQUIT, signal.SIGQUIT, signal.SIGKILL):
            server.send_signal(number)
            try:
                server.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                continue
            return


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
