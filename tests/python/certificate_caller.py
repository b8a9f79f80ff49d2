"""Calls with a client certificate and nothing else, and prints what it is told."""

import sys
from pathlib import Path

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

ANSWER_WITHIN = 30.0  # Seconds.

server, roots, *shown = sys.argv[1:]
certificate, key = [Path(path).read_bytes() for path in shown] or [None, None]
credentials = grpc.ssl_channel_credentials(
    root_certificates=Path(roots).read_bytes(), private_key=key, certificate_chain=certificate
)

with grpc.secure_channel(server, credentials) as channel:
    # Neither the request nor the answer is looked at: a request without fields has no bytes.
    rpc = channel.unary_unary("/countersign.challenge.v1.ChallengeService/GetAssertionKeys")
    try:
        rpc(b"", timeout=ANSWER_WITHIN)
        print("OK")
    except grpc.RpcError as error:
        told = [error.code().name]
        status = rpc_status.from_call(error)
        for packed in status.details if status else ():
            if packed.Is(ErrorInfo.DESCRIPTOR):
                info = ErrorInfo()
                packed.Unpack(info)
                told.append(info.reason)
        print(*told)
