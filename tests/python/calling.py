"""How to call Countersign: a key with every request, a deadline, and what a refusal says."""

from typing import NamedTuple

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from grpc_status import rpc_status

from countersign.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from countersign.audit.v1.audit_service_pb2_grpc import AuditServiceStub
from countersign.challenge.v1.challenge_service_pb2_grpc import ChallengeServiceStub
from countersign.enrollment.v1.enrollment_service_pb2_grpc import EnrollmentServiceStub
from countersign.policy.v1.policy_service_pb2_grpc import PolicyServiceStub

ANSWER_WITHIN = 30.0  # Seconds; without a deadline a call may wait for ever.


class CallDetails(NamedTuple):
    """What gRPC knows of a call before it is made (grpc.ClientCallDetails)."""

    method: str
    timeout: float | None
    metadata: list[tuple[str, str]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class WithKey(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Says with every call whose it is, and gives it a deadline if it has none."""

    def __init__(self, key, tenant=None):
        self.metadata = [("authorization", f"Bearer {key}")]
        if tenant is not None:
            # Only a key of the installation itself names a tenant; any other acts on its own.
            self.metadata.append(("countersign-tenant", tenant))

    def _intercept(self, continuation, call, request):
        details = CallDetails(
            method=call.method,
            timeout=call.timeout or ANSWER_WITHIN,
            metadata=[*(call.metadata or ()), *self.metadata],
            credentials=call.credentials,
            wait_for_ready=call.wait_for_ready,
            compression=call.compression,
        )
        return continuation(details, request)

    intercept_unary_unary = _intercept
    intercept_unary_stream = _intercept


class Caller:
    """The services, as the holder of one key sees them."""

    def __init__(self, channel, key, tenant=None):
        channel = grpc.intercept_channel(channel, WithKey(key, tenant))
        self.admin = AdminServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.challenges = ChallengeServiceStub(channel)
        self.enrollments = EnrollmentServiceStub(channel)
        self.policies = PolicyServiceStub(channel)


def details_of(error):
    """Returns the details of a failed call by type: ErrorInfo always, others where they fit."""
    details = {}
    for packed in rpc_status.from_call(error).details:
        for kind in (ErrorInfo, BadRequest, RetryInfo, PreconditionFailure):
            if packed.Is(kind.DESCRIPTOR):
                details[kind] = kind()
                packed.Unpack(details[kind])
    return details


def refusal_of(rpc, request):
    """Makes a call that must fail, and returns its status code and its details."""
    try:
        rpc(request)
    except grpc.RpcError as error:
        return error.code(), details_of(error)
    raise AssertionError("this call must fail")
