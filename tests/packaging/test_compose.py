"""The compose file and its proxy: the settings exist, and a real nginx does what it says."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from losant_mcp.config import VARIABLES
from losant_mcp.hosting.keys import KeyFile
from tests.calling import Mode, result
from tests.cli.command import in_process
from tests.hosting.serving import served
from tests.packaging.running import ROOT
from tests.served import Sandbox

FOLDER = ROOT / "packaging" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
ENV = (FOLDER / "env.example").read_text(encoding="utf-8")
NGINX = (FOLDER / "nginx.conf").read_text(encoding="utf-8")

needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx here")


def test_the_settings_of_the_replicas_exist() -> None:
    """A misspelt one would stop the start; both replicas have the same."""
    one, other = (COMPOSE["services"][name] for name in ("replica-1", "replica-2"))
    assert one == other
    ours = {name for name in one["environment"] if name.startswith("LOSANT")}
    assert ours <= set(VARIABLES)
    assert {"LOSANT_MCP_STATE_URL", "LOSANT_MCP_STATE_KEY", "LOSANT_MCP_AUTH"} <= ours


def test_the_service_that_makes_a_key_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command is one of ours, and the replicas' settings are enough for it."""
    service = COMPOSE["services"]["keys"]
    words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in service["command"]]
    assert service["environment"]["LOSANT_MCP_KEYS_FILE"].endswith("/keys.json")
    monkeypatch.setenv("LOSANT_MCP_KEYS_FILE", str(tmp_path / "keys.json"))
    done = in_process(*words)
    assert done.exit_code == 0, done.stderr
    assert [entry.name for entry in KeyFile(tmp_path / "keys.json").entries()] == ["first"]


def test_every_variable_is_in_the_example() -> None:
    """Whoever fills in the example has named all that the file asks for."""
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?\}", text))
    assert asked == set(re.findall(r"(?m)^(\w+)=", ENV))


def test_redis_evicts_nothing_and_keeps_what_it_has() -> None:
    """What the replicas refuse to start with is not what they are given."""
    words = COMPOSE["services"]["redis"]["command"]
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"
    assert words[words.index("--appendonly") + 1] == "yes"
    assert "ports" not in COMPOSE["services"]["redis"]


def test_what_is_mounted_is_there() -> None:
    """Files of the folder that a service reads exist; certificates are the operator's."""
    mounts = [
        volume.split(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    assert [name for name in mounts if not (FOLDER / name).exists()] == ["./tls"]


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """A folder with a certificate for this machine and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path / "tls"
    folder.mkdir()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder


@contextmanager
def nginx(tls: Path, upstream: str) -> Iterator[str]:
    """A real nginx with the compose file's configuration before this one server; its socket."""
    folder = tls.parent
    # The paths of its own go first: this folder may lie below /tmp, too.
    text = NGINX.replace("/tmp/", f"{folder}/").replace("/etc/nginx/tls", str(tls))
    text = re.sub(r"server replica-\d:8000;", f"server {upstream};", text)
    text = text.replace("listen 8443 ssl;", f"listen unix:{folder}/s.sock ssl;")
    (folder / "nginx.conf").write_text(f"daemon off;\n{text}", encoding="utf-8")
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        stack.callback(process.terminate)
        end = time.monotonic() + 30
        while not (folder / "s.sock").exists():
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        yield str(folder / "s.sock")


def _through(socket: str, tls: Path, **headers: str) -> httpx2.AsyncClient:
    trust = ssl.create_default_context(cafile=tls / "cert.pem")
    return httpx2.AsyncClient(
        base_url="https://localhost",
        headers=headers,
        transport=httpx2.AsyncHTTPTransport(uds=socket, verify=trust),
        timeout=30,
    )


@needs_nginx
async def test_a_client_works_through_the_proxy(
    sandbox: Sandbox, mode: Mode, tls: Path, tmp_path: Path
) -> None:
    """By TLS, with its key, under the public name; what is the operator's is not passed on."""
    async with served(sandbox, tmp_path, auth="keys", allowed_hosts=("localhost",)) as behind:
        key = behind.keys.add("ann", access="write")
        with nginx(tls, behind.url.removeprefix("http://")) as socket:
            http = _through(socket, tls, authorization=f"Bearer {key}")
            async with http:
                transport = streamable_http_client("https://localhost/mcp", http_client=http)
                async with Client(transport, mode=mode) as client:
                    found = await result(client, "list_events", perPage=100)
                    assert found["returned"] == 100
                assert (await http.get("/healthz")).status_code == 200
                assert (await http.get("/metrics")).status_code == 404
                assert (await http.get("/readyz")).status_code == 404
                large = await http.post("/mcp", content=b" " * (4 * 2**20 + 1))
                assert large.status_code == 413
