"""Sending webhooks: by https to public addresses only, signed as https://www.standardwebhooks.com says.

The name is resolved once, its addresses are checked, and the connection goes to a checked address: a name that points
elsewhere a moment later (DNS rebinding) gains nothing. Redirects are not followed, proxies not used.
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import Engine

from runs.access import outbox
from runs.db import reading, writing
from runs.tables import DeliveryRow, WebhookRow
from trapo_core.errors import FieldProblem, SpecError

TIMEOUT_S = 5.0  # of one wait for the receiver
FORGET_S = 60.0  # between two looks for messages that ended long ago
SENDING_S = 15.0  # of all that one message may take, however slowly its receiver reads or answers
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Prefixes that carry an IPv4 address inside, which a gateway of the network would unwrap (NAT64, 6to4, Teredo).
_WRAPPED = [ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]


class RefusedAddressError(OSError):
    """The name leads to an address that is not of the public internet."""


def check_url(url: str) -> None:
    """SpecError that names `/url`, if it is no https URL of a public host. Names are resolved only when sending."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(f"{url!r} is not a URL.") from None
    if parts.scheme != "https" or not host or "@" in parts.netloc or parts.fragment or not url.isascii():
        raise _wrong("a webhook is an https URL with a host, without user or fragment.")
    if any(ord(letter) <= 0x20 for letter in url):
        raise _wrong("a URL has no spaces and control characters.")
    if (literal := _literal(host)) and not is_public(literal):
        raise _wrong(f"{host} is a private address.")


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _WRAPPED):
            return False
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int, permitted: Callable[[Address], bool] = is_public) -> str:
    """An address of the host. RefusedAddressError if any of its addresses is not permitted."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for text in found:
        if not permitted(ipaddress.ip_address(text.partition("%")[0])):
            raise RefusedAddressError(f"{host} is {text}, which is not a public address")
    return found[0]


def sign(secret: str, message_id: str, at: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body, so that none of them can be exchanged. Its key are the bytes that the secret
    stands for."""
    key = base64.b64decode(secret.removeprefix(outbox.SECRET))
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class Courier:
    """Sends what is due."""

    def __init__(
        self, engine: Engine, context: ssl.SSLContext | None = None,
        permitted: Callable[[Address], bool] = is_public,
    ) -> None:  # fmt: skip
        self._engine, self._context, self._permitted = engine, context, permitted
        self._forget_at = time.monotonic()

    def deliver(self) -> None:
        """After a failure the other messages of that receiver rest, so that this ends though it is dead."""
        while claimed := self._claim():  # one at a time: a claim outlasts the sending of one
            delivery, hook = claimed
            error = self._send(delivery, hook)
            with writing(self._engine) as session:
                outbox.note_sent(session, delivery, error)

    def _claim(self) -> tuple[DeliveryRow, WebhookRow] | None:
        with reading(self._engine) as session:
            if not outbox.is_due(session):
                return None
        with writing(self._engine) as session:
            if time.monotonic() >= self._forget_at:
                outbox.forget(session)
                self._forget_at = time.monotonic() + FORGET_S
            return outbox.claim_due(session)

    def _send(self, delivery: DeliveryRow, hook: WebhookRow) -> str | None:
        """What went wrong, or None."""
        body, at = json.dumps(delivery.body, separators=(",", ":")).encode(), int(time.time())
        headers = {
            "Content-Type": "application/json", "User-Agent": "trapo", "webhook-id": delivery.id,
            "webhook-timestamp": str(at), "webhook-signature": sign(hook.secret, delivery.id, at, body),
        }  # fmt: skip
        try:
            status = self._post(urlsplit(hook.url), body, headers)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            return f"{type(error).__name__}: {error}"
        return None if 200 <= status < 300 else f"answered {status}"

    def _post(self, url: SplitResult, body: bytes, headers: dict[str, str]) -> int:
        host, port = url.hostname or "", url.port or 443
        context = self._context or ssl.create_default_context()
        address = resolve(host, port, self._permitted)
        with (
            socket.create_connection((address, port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) as secure,
            _cut_after(SENDING_S, secure),
        ):
            secure.do_handshake()
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
            connection.sock = secure
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", target, body, {"Host": url.netloc, **headers})
            return connection.getresponse().status


@contextmanager
def _cut_after(seconds: float, connection: socket.socket) -> Iterator[None]:
    """A timeout of a socket is of each wait: who sends a byte now and then would never be over."""

    def cut() -> None:
        with suppress(OSError):  # closed just now
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _wrong(message: str) -> SpecError:
    return SpecError([FieldProblem("/url", message, "Give one such as https://hooks.example.org/trapo.")])
