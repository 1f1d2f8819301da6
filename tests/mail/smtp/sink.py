"""A mail server that keeps what it gets, and fails as a test wants it to.

    sink.py FOLDER [--tls starttls|smtps --certificate FILE --key FILE] [--login USER:PASSWORD]

It listens on a free port of the loopback interface, prints it, and ends when its input does.

Each message becomes a file of the folder before it is acknowledged: a line of JSON with the
envelope, and then the message as it came. A file `fault` in the folder says what goes wrong, as
long as it is there:

    greeting hang           nothing is said, not even the greeting
    rcpt REPLY              the recipient is refused with this reply
    rcpt greylist           each recipient is refused the first time, with 450
    message hang            DATA is not answered, so that the message is not sent
    message cut             the connection is cut in the midst of the message
    data REPLY              the message is refused with this reply, and not kept
    stored hang             the message is kept, and that is not acknowledged
    stored cut              the message is kept, and the connection is cut
    now-and-then            some messages are refused with 451, some are kept and cut

What hangs is noted in a file `hanging`, a line each, and goes on when the fault is gone.
"""

import argparse
import asyncio
import json
import os
import socket
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult

# Of how many messages one is refused, and one cut, now and then.
REFUSED_OF = 7
CUT_OF = 31


class Sink:
    def __init__(self, folder, login):
        self.folder = folder
        self.login = login
        self.kept = 0
        self.offered = 0
        self.greylisted = set()

    def fault(self, place):
        """What goes wrong at this place: empty for nothing."""
        try:
            at, _, what = (self.folder / "fault").read_text().strip().partition(" ")
        except FileNotFoundError:
            return ""
        return (what or at) if at == place else ""

    async def hang(self, place):
        with (self.folder / "hanging").open("a") as hanging:
            hanging.write(f"{place}\n")
        while self.fault(place) == "hang":
            await asyncio.sleep(0.005)

    def authenticate(self, server, session, envelope, mechanism, data):
        presented = f"{data.login.decode()}:{data.password.decode()}"
        return AuthResult(success=presented == self.login, handled=False)

    async def handle_RCPT(self, server, session, envelope, address, options):
        fault = self.fault("rcpt")
        if fault == "greylist":
            fault = "" if address in self.greylisted else "450 4.2.0 Greylisted, try again later"
            self.greylisted.add(address)
        if fault:
            return fault
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        self.offered += 1
        now_and_then = self.fault("now-and-then")
        if now_and_then and self.offered % REFUSED_OF == 0:
            return "451 4.3.0 Now and then"
        if fault := self.fault("data"):
            return fault
        is_cut = self.fault("stored") == "cut" or (now_and_then and self.offered % CUT_OF == 0)
        self.keep(server, envelope, bool(is_cut))
        if is_cut:
            await cut(server)
        if self.fault("stored") == "hang":
            await self.hang("stored")
        return "250 2.0.0 Kept"

    def keep(self, connection, envelope, is_cut):
        head = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": connection.transport.get_extra_info("cipher") is not None,
            "login": connection.session.authenticated,
            "cut": is_cut,
        }
        part = self.folder / "part"
        part.write_bytes(json.dumps(head).encode() + b"\n" + envelope.original_content)
        os.replace(part, self.folder / f"{self.kept:06}.eml")
        self.kept += 1


class Connection(SMTP):
    """Adds what can go wrong where a handler has no say."""

    async def _handle_client(self):
        if self.event_handler.fault("greeting"):
            await self.event_handler.hang("greeting")
        await super()._handle_client()

    async def smtp_DATA(self, arg):
        fault = self.event_handler.fault("message")
        if fault == "hang":
            await self.event_handler.hang("message")
        if fault == "cut":
            await self.push("354 Go on")
            await self._reader.readline()
            await cut(self)
        asyncio.get_running_loop().call_soon(self.acknowledge_at_once)
        await super().smtp_DATA(arg)

    def acknowledge_at_once(self):
        # A client that sends the message and its last dot in two pieces waits for this: 40 ms.
        if self.transport is not None:
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def cut(connection):
    """Cuts a connection; whoever waits for this is cancelled."""
    connection.transport.abort()
    await asyncio.Event().wait()


def tls_context(arguments):
    if not arguments.tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate, arguments.key)
    return context


async def main(arguments):
    sink = Sink(arguments.folder, arguments.login)
    context = tls_context(arguments)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(
            sink,
            hostname="sink.example.net",
            tls_context=context if arguments.tls == "starttls" else None,
            require_starttls=arguments.tls == "starttls",
            authenticator=sink.authenticate,
            auth_required=arguments.login is not None,
            # With TLS from the start aiosmtpd does not see that there is TLS.
            auth_require_tls=arguments.tls == "starttls",
            loop=loop,
        ),
        "127.0.0.1",
        0,
        ssl=context if arguments.tls == "smtps" else None,
        backlog=1000,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--tls", choices=("starttls", "smtps"))
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--login")
asyncio.run(main(parser.parse_args()))
