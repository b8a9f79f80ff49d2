"""Enrols an authenticator app of a user and verifies one of its codes."""

import sys
import time
import uuid
from pathlib import Path

import grpc
import pyotp
from countersign.challenge.v1 import challenge_service_pb2 as challenge
from countersign.challenge.v1.challenge_service_pb2_grpc import ChallengeServiceStub
from countersign.enrollment.v1 import enrollment_service_pb2 as enrollment
from countersign.enrollment.v1.enrollment_service_pb2_grpc import EnrollmentServiceStub

server, key_file = sys.argv[1:]
key = Path(key_file).read_text().strip()
caller = [("authorization", f"Bearer {key}"), ("countersign-tenant", "demo")]
channel = grpc.insecure_channel(server)
enrollments, challenges = EnrollmentServiceStub(channel), ChallengeServiceStub(channel)
user = f"user-{uuid.uuid4()}"  # Your own id of the user.

# The user scans started.totp.qr_svg with any authenticator app; here pyotp is the app.
request = enrollment.StartEnrollmentRequest(user_id=user, kind="totp")
started = enrollments.StartEnrollment(request, metadata=caller)
app = pyotp.parse_uri(started.totp.key_uri)

# A first code proves that the app works.
authenticator = started.authenticator.authenticator_id
request = enrollment.ConfirmEnrollmentRequest(
    user_id=user, authenticator_id=authenticator, code=app.now()
)
confirmed = enrollments.ConfirmEnrollment(request, metadata=caller)
assert confirmed.outcome == enrollment.CONFIRMATION_OUTCOME_CONFIRMED

# Whenever the user signs in: a challenge, and the code that answers it.
request = challenge.CreateChallengeRequest(user_id=user, application_id="vpn")
opened = challenges.CreateChallenge(request, metadata=caller).challenge
# No code is accepted twice, so this is the one that the app shows next, a little early.
code = app.at(time.time() + app.interval)
request = challenge.VerifyChallengeRequest(
    user_id=user, challenge_id=opened.challenge_id, code=code
)
verified = challenges.VerifyChallenge(request, metadata=caller)
assert verified.outcome == challenge.VERIFICATION_OUTCOME_VERIFIED
print(verified.proof)
