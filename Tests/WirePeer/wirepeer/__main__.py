"""The command: see `tools/wirepeer --help`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
import sys
from pathlib import Path

from .credentials import Credentials, CredentialsError
from .enrolment import EnrolmentRefused, enrol
from .frames import FrameError
from .identity import NAME, IdentityError
from .links import LinkLost, RemoteFailure
from .observer import Observer, as_json
from .schema import MalformedMessage, SchemaError
from .tokens import JoinToken, TokenError

_EXPECTED = (
    CredentialsError, EnrolmentRefused, FrameError, IdentityError, LinkLost, MalformedMessage, RemoteFailure,
    SchemaError, TokenError, OSError, ssl.SSLError, TimeoutError, EOFError)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: 1 to 64 characters out of a-z A-Z 0-9 . _ -")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wirepeer", description="A second implementation of Shardline's wire protocol, in Python.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--coordinator", type=_address, required=True, metavar="HOST:PORT")
        return made

    def member(name: str, text: str) -> argparse.ArgumentParser:
        made = command(name, text)
        which = made.add_mutually_exclusive_group(required=True)
        which.add_argument("--credentials", type=Path, metavar="PATH",
                           help="folder that `enrol` wrote, or file of `shardline operator create`")
        which.add_argument("--insecure", type=_name, metavar="NAME", help="plain text, under this name")
        return made

    made = command("enrol", "Gets a certificate with a join token.")
    made.add_argument("--token-file", type=Path, required=True, metavar="FILE")
    made.add_argument("--name", type=_name, default="wirepeer")
    made.add_argument("--out", type=Path, required=True, metavar="FOLDER")

    member("topology", "Prints nodes and pipelines as JSON.")

    made = member("observe", "Prints what changes in the cluster, until it is interrupted.")
    made.add_argument("--interval", type=float, default=1.0, metavar="SECONDS")

    made = member("stage", "Joins as a node and computes layers of an F32 or F16 model in float32, with numpy.")
    made.add_argument("--model", type=Path, required=True, metavar="GGUF")
    made.add_argument("--host", default="127.0.0.1", help="where others reach this one (default: 127.0.0.1)")
    made.add_argument("--port", type=int, default=0)
    made.add_argument("--layers", type=int, default=1, metavar="COUNT", help=(
        "describe this node so that it is given so many layers: memory for them and --kv-positions, and a speed "
        "above all others'. Which ones: by the names of the nodes, stages go by their order (default: 1)"))
    made.add_argument("--kv-positions", type=int, default=4096, metavar="COUNT", help=(
        "positions of KV that the coordinator asks of each stage: the served context, or kv_cache_tokens where that "
        "is less (default: 4096)"))
    made.add_argument("--memory", type=int, metavar="BYTES", help="describe this memory instead")
    made.add_argument("--read-bytes-per-second", type=float, metavar="SPEED", help="describe this speed instead")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _run(options: argparse.Namespace) -> None:
    host, port = options.coordinator
    if options.command == "enrol":
        token = JoinToken.parse(options.token_file.read_text())
        credentials = await enrol(host, port, token, "node", options.name)
        credentials.write(options.out)
        identity = credentials.identity
        _say(f"{identity.role} '{identity.name}' of cluster {identity.cluster}: certificate {identity.serial}, in "
             f"{options.out}")
        return
    credentials = Credentials.read(options.credentials) if options.credentials else None
    name = credentials.identity.name if credentials else options.insecure
    if options.command == "stage":
        await _stage(options, name, credentials)
        return
    observer = Observer(name, credentials)
    if credentials is not None:
        observer.endpoint.role = credentials.identity.role_number
    link = await observer.connect(host, port)
    try:
        if options.command == "topology":
            print(as_json(await observer.topology(link)))
            return
        async for event in observer.events(link, options.interval):
            print(event, flush=True)
        raise LinkLost(link.lost.result())
    finally:
        await observer.endpoint.close("done")


async def _stage(options: argparse.Namespace, name: str, credentials: Credentials | None) -> None:
    # numpy is needed here alone.
    from .gguf import ModelFile
    from .node import Figures, Node, figures_for_layers

    figures = figures_for_layers(ModelFile(options.model), options.layers, options.kv_positions)
    figures = Figures(
        options.memory or figures.memory_limit_bytes, options.read_bytes_per_second or figures.read_bytes_per_second)
    node = Node(name, credentials, options.model, figures)
    node.log = _say
    await node.endpoint.listen(options.host, options.port)
    work = asyncio.create_task(node.run(*options.coordinator))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        await node.leave("it was asked to stop")
        _say(f"ran {node.step_count} steps")


def main() -> int:
    options = _parser().parse_args()
    try:
        asyncio.run(_run(options))
    except KeyboardInterrupt:
        return 130
    except _EXPECTED as error:
        _say(f"wirepeer: {error or type(error).__name__}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
