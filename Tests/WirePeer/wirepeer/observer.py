"""What an operator sees of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf import json_format

from . import schema
from .credentials import Credentials
from .endpoint import Endpoint
from .links import ACTOR_ADMIN, Link, RemoteFailure, Request
from .node import COORDINATOR, ROLE_OPERATOR


class Observer:
    """An operator's process: asks, and is asked nothing."""

    def __init__(self, name: str, credentials: Credentials | None) -> None:
        self.endpoint = Endpoint(name, ROLE_OPERATOR, credentials, self)

    def handle(self, link: Link, request: Request) -> tuple[schema.Message, Any] | None:
        raise RemoteFailure("unknownObject", "an operator has no objects")

    def link_lost(self, link: Link, reason: str) -> None:
        pass

    async def connect(self, host: str, port: int) -> Link:
        return await self.endpoint.connect(host, port, COORDINATOR)

    @staticmethod
    async def topology(link: Link) -> schema.Message:
        return (await link.call("Admin.topology", schema.wire().TopologyRequest(), actor=ACTOR_ADMIN))[0]

    async def events(self, link: Link, interval_seconds: float) -> AsyncIterator[str]:
        """Differences of the topology as text. The protocol tells nobody of changes, so it is asked again and again;
        that also shows the coordinator that this end lives."""
        nodes: dict[str, tuple[int, bool]] = {}
        pipelines: dict[int, tuple[int, str]] = {}
        while link.is_open:
            reply = await self.topology(link)
            for status in reply.nodes:
                description = status.description
                name, now = description.node, (description.incarnation, status.is_connected)
                if nodes.get(name) != now:
                    nodes[name] = now
                    yield (f"node {name} is {'connected' if now[1] else 'not connected'}: {description.host}:"
                           f"{description.port}, {description.memory_limit_bytes} bytes, {description.instruction_set}")
            for pipeline in reply.pipelines:
                stages = ", ".join(
                    f"{stage.node} {stage.units.layers_lower}-{stage.units.layers_upper - 1}"
                    f"{'' if stage.is_ready else ' (not ready)'}" for stage in pipeline.stages)
                text = f"{pipeline.model}: {pipeline.state}, epoch {pipeline.epoch}: {stages or 'no stages'}"
                if pipelines.get(pipeline.pipeline) != (pipeline.epoch, text):
                    pipelines[pipeline.pipeline] = (pipeline.epoch, text)
                    yield f"pipeline {pipeline.pipeline} of {text}"
            link.ping()
            done, _ = await asyncio.wait([link.lost], timeout=interval_seconds)
            if done:
                return


def as_json(message: schema.Message) -> str:
    return json_format.MessageToJson(message, preserving_proto_field_name=True)
