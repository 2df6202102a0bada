"""Webhooks: in the outbox with the state change, only to public addresses, signed, tried again."""

import base64
import hashlib
import hmac
import ipaddress
import json
import ssl
import subprocess
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest
from sqlalchemy import select, update

from runs.access import outbox, webhooks
from runs.access.webhooks import Courier, RefusedAddressError, check_url, is_public, resolve, sign
from runs.db import now, reading, writing
from runs.errors import ConflictError
from runs.life import leases, store
from runs.life.leases import Worker
from runs.record.ingest import ingest
from runs.tables import DeliveryRow
from trapo_core.errors import SpecError
from trapo_core.events import AttemptStarted, EventWriter


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate, key) of localhost."""
    folder = tmp_path_factory.mktemp("tls")
    files = [str(folder / name) for name in ("cert.pem", "key.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", files[0], "-keyout", files[1]]
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture
def receiver(certificate):
    """A real https server that keeps what it gets and answers what `statuses` says, then 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append((self.path, dict(self.headers), body))
            with suppress(OSError):  # whom it keeps waiting has gone
                while server.trickle.wait(0):
                    self.wfile.write(b"H")
                    time.sleep(0.05)
            self.send_response(server.statuses.pop(0) if server.statuses else 200)
            self.send_header("Location", "https://elsewhere.example/")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.statuses, server.trickle = [], [], Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.trickle.clear()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def courier(any_engine, certificate):
    """One that trusts the receiver and may reach this machine by IPv4."""
    context = ssl.create_default_context(cafile=certificate[0])
    return Courier(any_engine, context, permitted=lambda address: address.is_loopback)


@pytest.fixture
def hook(any_engine, receiver):
    with writing(any_engine) as session:
        return outbox.make_webhook(session, f"https://localhost:{receiver.server_port}/in?a=b", ["cancelled"], "admin")


def outbox_of(engine):
    with reading(engine) as session:
        return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.id)))


def cancel(engine, run_id):
    with writing(engine) as session:
        store.cancel(session, run_id)


def make_due(engine):
    with writing(engine) as session:
        session.execute(update(DeliveryRow).where(DeliveryRow.due_at.is_not(None)).values(due_at=now()))


def test_a_state_change_is_delivered_once_and_signed(any_engine, make_run, hook, receiver, courier):
    run_id = make_run(any_engine)
    cancel(any_engine, run_id)
    courier.deliver()
    courier.deliver()
    ((path, headers, body),) = receiver.got
    assert path == "/in?a=b"
    assert json.loads(body)["data"]["run_id"] == run_id
    assert json.loads(body)["data"]["state"] == "cancelled"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(hook.secret.removeprefix("whsec_"), validate=True)
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    (row,) = outbox_of(any_engine)
    assert (row.due_at, row.last_error) == (None, None)
    assert row.delivered_at is not None


def test_only_the_states_that_were_asked_for_are_told(any_engine, make_run, hook):
    make_run(any_engine)
    assert outbox_of(any_engine) == []


def test_a_hook_without_states_is_told_every_state_on_the_way(any_engine, make_run, settings, tmp_path):
    with writing(any_engine) as session:
        outbox.make_webhook(session, "https://hooks.example.org/", [], "admin")
    run_id = make_run(any_engine)
    with writing(any_engine) as session:
        lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
    EventWriter(tmp_path)(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=5, pid=1))
    ingest(any_engine, lease, tmp_path)
    with writing(any_engine) as session:
        leases.finish(session, lease, settings, reason=None)
    told = [row.body["data"]["state"] for row in outbox_of(any_engine)]
    assert sorted(told) == sorted(["queued", "starting", "running", "succeeded"])


def test_a_change_that_does_not_happen_is_not_told(any_engine, make_run, hook):
    run_id = make_run(any_engine)
    with pytest.raises(ConflictError), writing(any_engine) as session:
        store.cancel(session, run_id)
        store.pause(session, run_id)
    assert outbox_of(any_engine) == []


@pytest.mark.parametrize("status", [500, 302, 404])
def test_a_failed_delivery_is_tried_again_later_and_a_redirect_is_one(
    any_engine, make_run, hook, receiver, courier, status
):
    receiver.statuses = [status]
    cancel(any_engine, make_run(any_engine))
    courier.deliver()
    courier.deliver()  # not due yet
    (row,) = outbox_of(any_engine)
    assert (len(receiver.got), row.attempts, row.last_error) == (1, 1, f"answered {status}")
    make_due(any_engine)
    courier.deliver()
    assert len(receiver.got) == 2
    assert outbox_of(any_engine)[0].delivered_at is not None
    assert receiver.got[0][1]["webhook-id"] == receiver.got[1][1]["webhook-id"], "the receiver can tell a repetition"


def test_a_message_is_given_up_after_its_last_attempt(any_engine, make_run, hook, receiver, courier):
    receiver.server_close()
    cancel(any_engine, make_run(any_engine))
    with writing(any_engine) as session:
        session.execute(update(DeliveryRow).values(attempts=outbox.ATTEMPTS - 1))
    courier.deliver()
    (row,) = outbox_of(any_engine)
    assert (row.due_at, row.delivered_at, row.attempts) == (None, None, outbox.ATTEMPTS)
    assert row.last_error


def test_the_wait_doubles_up_to_hours():
    assert [outbox.wait_s(attempt) for attempt in (1, 2, 3)] == [5, 10, 20]
    assert outbox.wait_s(40) == outbox.LONGEST_WAIT_S


def test_a_courier_that_died_with_a_message_leaves_it_to_another(any_engine, make_run, hook, receiver, courier):
    cancel(any_engine, make_run(any_engine))
    with writing(any_engine) as session:
        assert outbox.claim_due(session) is not None
        assert outbox.claim_due(session) is None
    make_due(any_engine)  # the claim's minute is over
    courier.deliver()
    assert len(receiver.got) == 1


def test_nothing_is_sent_to_a_private_address(any_engine, make_run, hook, receiver, certificate):
    cancel(any_engine, make_run(any_engine))
    Courier(any_engine, ssl.create_default_context(cafile=certificate[0])).deliver()
    assert receiver.got == []
    assert "not a public address" in outbox_of(any_engine)[0].last_error


def test_a_server_without_the_names_certificate_gets_nothing(any_engine, make_run, hook, receiver):
    cancel(any_engine, make_run(any_engine))
    receiver.handle_error = lambda *_: None
    Courier(any_engine, permitted=bool).deliver()
    assert receiver.got == []
    assert "CERTIFICATE_VERIFY_FAILED" in outbox_of(any_engine)[0].last_error


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:0:0:0:0:80ff:fffe",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_internet_are_known(text):
    assert not is_public(ipaddress.ip_address(text))


def test_public_addresses_are_public():
    assert all(is_public(ipaddress.ip_address(text)) for text in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"))


def test_a_name_of_this_machine_is_refused_when_it_is_resolved():
    with pytest.raises(RefusedAddressError):
        resolve("localhost", 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/", "https://", "https://user@hooks.example.org/", "https://127.0.0.1/", "file:///etc",
        "https://[::1]/", "https://169.254.169.254/latest", "https://hooks.example.org:99999/", "https://a b/",
        "https://hooks.example.org/#part", "https://hooks.example.org/\r\nX: y", "",
    ],
)  # fmt: skip
def test_a_url_that_is_no_public_https_is_refused_when_it_is_given(url):
    with pytest.raises(SpecError):
        check_url(url)


def test_a_signature_is_of_id_time_and_body():
    signed = [("a", 1, b"x"), ("b", 1, b"x"), ("b", 2, b"x"), ("b", 2, b"y")]
    assert len({sign("whsec_c2VjcmV0", *what) for what in signed}) == len(signed)


def test_a_signature_is_that_of_the_standards_own_example():
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = sign(secret, message, 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_all_that_is_due_is_sent_at_one_look(any_engine, make_run, hook, receiver, courier):
    for _ in range(3):
        cancel(any_engine, make_run(any_engine))
    courier.deliver()
    assert len(receiver.got) == 3


@pytest.fixture
def dead_hook(any_engine):
    """Nobody listens there."""
    with writing(any_engine) as session:
        return outbox.make_webhook(session, "https://localhost:9/", ["cancelled"], "admin")


def tried(engine, hook):
    return [row.attempts for row in outbox_of(engine) if row.webhook_id == hook.id]


def test_a_dead_receiver_with_many_messages_keeps_no_other_waiting(
    any_engine, make_run, dead_hook, hook, receiver, courier
):
    for _ in range(4):
        cancel(any_engine, make_run(any_engine))
    with writing(any_engine) as session:  # those of the dead one are the oldest
        session.execute(update(DeliveryRow).where(DeliveryRow.webhook_id == dead_hook.id).values(due_at=now() - 3600))
    courier.deliver()
    assert len(receiver.got) == 4
    assert sorted(tried(any_engine, dead_hook)) == [0, 0, 0, 1]
    make_due(any_engine)
    courier.deliver()
    assert sum(tried(any_engine, dead_hook)) == 2


def test_a_message_that_its_receiver_does_not_take_holds_the_others_back_for_a_moment_only(
    any_engine, make_run, hook, receiver, courier, monkeypatch
):
    monkeypatch.setattr(outbox, "FIRST_WAIT_S", 0.2)
    receiver.statuses = [500]
    for _ in range(3):
        cancel(any_engine, make_run(any_engine))
    with writing(any_engine) as session:  # the first was tried often
        first = outbox_of(any_engine)[0].id
        session.execute(update(DeliveryRow).where(DeliveryRow.id == first).values(attempts=9, due_at=now() - 60))
    courier.deliver()
    assert len(receiver.got) == 1
    time.sleep(outbox.FIRST_WAIT_S)
    courier.deliver()
    assert [row.delivered_at is not None for row in outbox_of(any_engine)] == [False, True, True]


def test_messages_that_ended_a_week_ago_are_forgotten_now_and_then(any_engine, make_run, hook, receiver, courier):
    def end_long_ago():
        with writing(any_engine) as session:
            session.execute(update(DeliveryRow).values(delivered_at=now(), due_at=None, created_at=now() - 8 * 86_400))

    for kept in (1, 3):  # the second time nothing is forgotten: it was looked just now
        cancel(any_engine, make_run(any_engine))
        end_long_ago()
        cancel(any_engine, make_run(any_engine))
        courier.deliver()
        assert len(outbox_of(any_engine)) == kept


def test_a_receiver_that_never_ends_its_answer_is_left(any_engine, make_run, hook, receiver, courier, monkeypatch):
    monkeypatch.setattr(webhooks, "SENDING_S", 0.3)
    receiver.trickle.set()
    cancel(any_engine, make_run(any_engine))
    began = time.monotonic()
    courier.deliver()
    assert time.monotonic() - began < webhooks.TIMEOUT_S, "the waits for each byte were short"
    (row,) = outbox_of(any_engine)
    assert row.delivered_at is None
    assert row.due_at
