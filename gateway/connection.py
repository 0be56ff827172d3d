"""One member, and the connection to its node: gRPC with mutual TLS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from landbridge.status import CLIENT_METADATA_BYTES
from landbridge.v1 import (
    batch_pb2_grpc,
    census_pb2_grpc,
    consult_pb2_grpc,
    group_pb2_grpc,
    link_pb2_grpc,
    membership_pb2_grpc,
    node_pb2_grpc,
    pooled_pb2_grpc,
    renewal_pb2_grpc,
    step_pb2_grpc,
    submission_pb2_grpc,
    watch_pb2_grpc,
    witness_pb2_grpc,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the manifest lists it.

    `name` is the one its server certificate carries; `log_key` verifies its log and cannot be
    changed by the member; `witness_key` verifies its cosignatures under the gateway's log,
    `signing_key` its grants.
    """

    department: str
    title: str
    address: str
    name: str
    contracts: tuple[str, ...]
    handlers: tuple[str, ...] = ()
    log_key: str = ""
    witness_key: str = ""
    signing_key: Ed25519PublicKey | None = None


Connect = Callable[[Member], grpc.Channel]
"""Opens the connection to one member."""


def over_tls(credentials: grpc.ChannelCredentials) -> Connect:
    """Connections with mutual TLS, each to a server with that member's own certificate."""

    def connect(member: Member) -> grpc.Channel:
        return grpc.secure_channel(
            member.address,
            credentials,
            options=[
                # The certificate must be this member's, wherever it runs.
                ("grpc.ssl_target_name_override", member.name),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                # A node that comes back is found within a second.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1_000),
                # A new channel is a new handshake; else gRPC shares what leads to one address.
                ("grpc.use_local_subchannel_pool", 1),
                # A refusal carries its receipt in the status.
                ("grpc.max_metadata_size", CLIENT_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", CLIENT_METADATA_BYTES),
            ],
        )

    return connect


@dataclass(frozen=True, slots=True)
class Connection:
    """A channel and what is asked over it.

    The stubs are made while it is open: gRPC ends the whole process when one is made of a channel
    that was closed, and says ValueError to a call.
    """

    channel: grpc.Channel
    node: node_pb2_grpc.NodeStub
    pooling: pooled_pb2_grpc.PoolingStub
    ear: membership_pb2_grpc.MembersStub
    witness: witness_pb2_grpc.WitnessStub
    witnessed: witness_pb2_grpc.WitnessedLogStub
    consulting: consult_pb2_grpc.ConsultingStub
    renewal: renewal_pb2_grpc.RenewalStub
    link: link_pb2_grpc.LinkStub
    handlers: batch_pb2_grpc.HandlersStub
    steps: step_pb2_grpc.StepsStub
    tally: census_pb2_grpc.TallyStub
    intake: submission_pb2_grpc.IntakeStub
    watching: watch_pb2_grpc.WatchingStub
    grouping: group_pb2_grpc.GroupingStub

    @classmethod
    def over(cls, channel: grpc.Channel) -> Connection:
        """All of them."""
        return cls(
            channel,
            node_pb2_grpc.NodeStub(channel),
            pooled_pb2_grpc.PoolingStub(channel),
            membership_pb2_grpc.MembersStub(channel),
            witness_pb2_grpc.WitnessStub(channel),
            witness_pb2_grpc.WitnessedLogStub(channel),
            consult_pb2_grpc.ConsultingStub(channel),
            renewal_pb2_grpc.RenewalStub(channel),
            link_pb2_grpc.LinkStub(channel),
            batch_pb2_grpc.HandlersStub(channel),
            step_pb2_grpc.StepsStub(channel),
            census_pb2_grpc.TallyStub(channel),
            submission_pb2_grpc.IntakeStub(channel),
            watch_pb2_grpc.WatchingStub(channel),
            group_pb2_grpc.GroupingStub(channel),
        )
