# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python -m simulator --info-file FILE: runs until it is terminated."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .app import build


class Protocol(HttpToolsProtocol):
    """Passes the connection to the application, which can reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Server(uvicorn.Server):
    """Writes its port to a file once it listens."""

    info_file: Path

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        info = {"port": self.servers[0].sockets[0].getsockname()[1], "pid": os.getpid()}
        draft = self.info_file.with_name(f"{self.info_file.name}.{os.getpid()}")
        draft.write_text(json.dumps(info), encoding="utf-8")
        draft.replace(self.info_file)  # atomic, so that no reader sees an incomplete file


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulator", description="Huawei Cloud IAM and DRS on loopback")
    parser.add_argument("--info-file", type=Path, required=True, help='file for {"port": N, "pid": N}')
    parser.add_argument("--port", type=int, default=0, help="default: 0, any free port")
    arguments = parser.parse_args()
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again when it has stopped
    server = Server(
        uvicorn.Config(
            build(),
            host="127.0.0.1",
            port=arguments.port,
            http=Protocol,
            loop="asyncio",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,  # the cloud has its own clock
            timeout_graceful_shutdown=0,
            timeout_keep_alive=60,
        )
    )
    server.info_file = arguments.info_file
    server.run()


if __name__ == "__main__":
    main()
