r"""A platform's whole journey: from an empty installation to the audit of everything that happened.

    pip install -r tests/python/requirements.txt
    mkdir stubs
    python -m grpc_tools.protoc -I proto --python_out=stubs --grpc_python_out=stubs \
        $(find proto -name '*.proto')
    PYTHONPATH=stubs python tests/python/journey.py 127.0.0.1:7443 data/first-key
"""

import itertools
import sys
import time
import uuid
from pathlib import Path

import grpc
import jwt
import pyotp
from calling import Caller, refusal_of
from google.protobuf import descriptor_pool, message_factory
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from countersign.admin.v1 import admin_service_pb2 as admin
from countersign.audit.v1 import audit_service_pb2 as audit
from countersign.challenge.v1 import challenge_service_pb2 as challenge
from countersign.common.v1 import authenticator_pb2 as common
from countersign.enrollment.v1 import enrollment_service_pb2 as enrollment
# Importing these makes the stored events known to whoever unpacks them.
from countersign.event.v1 import authenticators_pb2, challenges_pb2, sign_ins_pb2
from countersign.policy.v1 import policy_service_pb2 as policy

USER = "jo@example.com"
APPLICATION = "vpn"


# What the server says about itself, to whoever asks.


def look_around(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "countersign.challenge.v1.ChallengeService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    schema = ProtoReflectionDescriptorDatabase(channel)
    assert "countersign.challenge.v1.ChallengeService" in schema.get_services()
    pool = descriptor_pool.DescriptorPool(schema)
    service = pool.FindServiceByName("countersign.challenge.v1.ChallengeService")
    assert "VerifyChallenge" in service.methods_by_name


# Once: a tenant, an application, and keys that may do no more than they need.


def set_up(channel, first_key):
    tenant = f"journey-{uuid.uuid4().hex[:8]}"
    request = admin.CreateTenantRequest(
        request_id=str(uuid.uuid4()), tenant_id=tenant, display_name="Acme"
    )
    operator = Caller(channel, first_key)
    created = operator.admin.CreateTenant(request).tenant
    # Whoever did not get the answer repeats the request with its id, and gets the same one.
    assert operator.admin.CreateTenant(request).tenant == created

    operator = Caller(channel, first_key, tenant)
    request = admin.CreateApplicationRequest(application_id=APPLICATION, display_name="Acme VPN")
    operator.admin.CreateApplication(request)

    def issue(name, role):
        request = admin.CreateApiKeyRequest(display_name=name, roles=[role])
        return Caller(channel, operator.admin.CreateApiKey(request).secret)

    platform = issue("the platform", admin.ROLE_VERIFIER)
    administrator = issue("the administrator", admin.ROLE_TENANT_ADMIN)
    auditor = issue("the auditor", admin.ROLE_AUDITOR)
    return platform, administrator, auditor


# Once for each user: an authenticator app.


def enroll(platform):
    request = enrollment.StartEnrollmentRequest(
        user_id=USER, kind="totp", display_name="Jo's phone"
    )
    started = platform.enrollments.StartEnrollment(request)
    assert started.authenticator.status == common.AUTHENTICATOR_STATUS_PENDING
    # The platform shows one of these, and the user scans it.
    assert started.totp.qr_png.startswith(b"\x89PNG")
    assert "<svg" in started.totp.qr_svg
    app = pyotp.parse_uri(started.totp.key_uri)
    assert (app.issuer, app.name) == ("Acme", USER)
    assert app.secret == started.totp.secret_base32

    def confirm(code):
        request = enrollment.ConfirmEnrollmentRequest(
            user_id=USER, authenticator_id=started.authenticator.authenticator_id, code=code
        )
        return platform.enrollments.ConfirmEnrollment(request)

    refused = confirm(wrong_code(app))
    assert refused.outcome == enrollment.CONFIRMATION_OUTCOME_REFUSED
    confirmed = confirm(app.now())
    assert confirmed.outcome == enrollment.CONFIRMATION_OUTCOME_CONFIRMED
    assert confirmed.authenticator.status == common.AUTHENTICATOR_STATUS_ACTIVE
    assert confirmed.authenticator.is_default
    return app


def next_code(app):
    """Returns the code that the app shows next: no code is accepted twice, this one already is."""
    return app.at(time.time() + app.interval)


def wrong_code(app):
    """Returns a code that the app shows neither now nor in the minutes around."""
    near = {app.at(time.time() + step * app.interval) for step in range(-4, 5)}
    return next(code for number in itertools.count() if (code := f"{number:06}") not in near)


# At each sign-in: is the password enough? If not, a challenge, and an answer.


def evaluate(platform):
    context = policy.SignInContext(ip_address="203.0.113.7", user_agent="Mozilla/5.0")
    request = policy.EvaluateSignInRequest(
        user_id=USER, application_id=APPLICATION, context=context
    )
    return platform.policies.EvaluateSignIn(request)


def open_challenge(platform, sign_in_id=""):
    request = challenge.CreateChallengeRequest(
        user_id=USER, application_id=APPLICATION, sign_in_id=sign_in_id
    )
    return platform.challenges.CreateChallenge(request).challenge


def answer(opened, code):
    return challenge.VerifyChallengeRequest(
        request_id=str(uuid.uuid4()),
        user_id=USER,
        challenge_id=opened.challenge_id,
        code=code,
        with_assertion=True,
    )


def sign_in(platform, app):
    evaluation = evaluate(platform)
    assert evaluation.decision == policy.SIGN_IN_DECISION_CHALLENGE
    assert evaluation.required_acr == "urn:countersign:acr:aal2"
    assert [one.kind for one in evaluation.usable_authenticators] == ["totp"]
    assert any(rule.matched for rule in evaluation.trace)

    opened = open_challenge(platform, evaluation.sign_in_id)
    request = challenge.WatchChallengeRequest(user_id=USER, challenge_id=opened.challenge_id)
    watched = platform.challenges.WatchChallenge(request)
    assert next(watched).challenge.status == challenge.CHALLENGE_STATUS_PENDING

    code = next_code(app)
    request = answer(opened, code)
    verified = platform.challenges.VerifyChallenge(request)
    assert verified.outcome == challenge.VERIFICATION_OUTCOME_VERIFIED
    assert verified.proof.kind == "totp"
    assert (verified.proof.acr, verified.proof.amr) == ("urn:countersign:acr:aal2", ["otp"])
    # An answer that was lost on the way is asked for again, and does not cost an attempt.
    assert platform.challenges.VerifyChallenge(request).proof == verified.proof

    closing = next(watched).challenge
    assert closing.status == challenge.CHALLENGE_STATUS_VERIFIED
    assert closing.proof == verified.proof
    assert next(watched, None) is None, "the stream ends with the challenge"
    check_assertion(platform, opened, verified.assertion)
    return code


def check_assertion(platform, opened, assertion):
    """Checks the signed statement, as a service behind the platform would."""
    published = platform.challenges.GetAssertionKeys(challenge.GetAssertionKeysRequest())
    keys = jwt.PyJWKSet.from_json(published.jwks)

    def read(token):
        key = keys[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(
            token, key, algorithms=["ES256"], audience=APPLICATION, issuer=published.issuer
        )

    claims = read(assertion)
    assert (claims["sub"], claims["jti"]) == (USER, opened.challenge_id)
    assert (claims["acr"], claims["amr"]) == ("urn:countersign:acr:aal2", ["otp"])
    assert claims["auth_time"] <= time.time() < claims["exp"]

    header, _, signature = assertion.split(".")
    body = jwt.utils.base64url_encode(b'{"sub":"somebody else"}').decode()
    try:
        read(".".join([header, body, signature]))
    except jwt.InvalidSignatureError:
        return
    raise AssertionError("a forged assertion must not pass")


# What must not work, and how it is told.


def be_refused(platform, used_code, app):
    opened = open_challenge(platform)
    replayed = platform.challenges.VerifyChallenge(answer(opened, used_code))
    assert replayed.outcome == challenge.VERIFICATION_OUTCOME_REFUSED
    wrong = platform.challenges.VerifyChallenge(answer(opened, wrong_code(app)))
    assert wrong.outcome == challenge.VERIFICATION_OUTCOME_REFUSED
    assert (replayed.attempts_left, wrong.attempts_left) == (4, 3)
    assert not wrong.HasField("proof") and not wrong.assertion


def make_mistakes(channel, platform):
    challenges, enrollments = platform.challenges, platform.enrollments

    request = enrollment.StartEnrollmentRequest(user_id="", kind="totp")
    code, details = refusal_of(enrollments.StartEnrollment, request)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert details[ErrorInfo].reason == "FIELD_INVALID"
    assert details[BadRequest].field_violations[0].field == "user_id"

    request = challenge.CreateChallengeRequest(user_id="a stranger")
    code, details = refusal_of(challenges.CreateChallenge, request)
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert details[ErrorInfo].reason == "NO_USABLE_AUTHENTICATOR"
    assert details[PreconditionFailure].violations[0].type == "NO_USABLE_AUTHENTICATOR"

    code, details = refusal_of(platform.admin.ListTenants, admin.ListTenantsRequest())
    assert code == grpc.StatusCode.PERMISSION_DENIED
    assert details[ErrorInfo].reason == "PERMISSION_DENIED"

    stranger = Caller(channel, "not a key")
    code, details = refusal_of(
        stranger.challenges.GetAssertionKeys, challenge.GetAssertionKeysRequest()
    )
    assert code == grpc.StatusCode.UNAUTHENTICATED
    assert details[ErrorInfo].reason == "UNAUTHENTICATED"


# For the day the phone is gone.


def recover(platform):
    request = enrollment.IssueRecoveryCodesRequest(user_id=USER)
    codes = platform.enrollments.IssueRecoveryCodes(request).codes
    assert len(codes) == 10
    opened = open_challenge(platform)
    assert [one.kind for one in opened.allowed_authenticators] == ["totp", "recovery_code"]
    verified = platform.challenges.VerifyChallenge(answer(opened, codes[0]))
    assert verified.outcome == challenge.VERIFICATION_OUTCOME_VERIFIED
    assert verified.proof.kind == "recovery_code"
    assert verified.recovery_codes_remaining == 9 and not verified.recovery_codes_low

    opened = open_challenge(platform)
    again = platform.challenges.VerifyChallenge(answer(opened, codes[0]))
    assert again.outcome == challenge.VERIFICATION_OUTCOME_REFUSED


# Guessing.


def guess(platform, administrator, app):
    """Guesses until the door closes for a while: at five wrong answers in a row, two of them above."""
    opened = open_challenge(platform)
    for attempts_left in (4, 3, 2):
        guessed = platform.challenges.VerifyChallenge(answer(opened, wrong_code(app)))
        assert guessed.outcome == challenge.VERIFICATION_OUTCOME_REFUSED
        assert guessed.attempts_left == attempts_left

    request = answer(opened, next_code(app))
    code, details = refusal_of(platform.challenges.VerifyChallenge, request)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details[ErrorInfo].reason == "THROTTLED"
    assert 0 < details[RetryInfo].retry_delay.seconds <= 30

    request = challenge.ListThrottlesRequest(user_id=USER)
    (throttle,) = platform.challenges.ListThrottles(request).throttles
    assert throttle.consecutive_failures == 5
    assert throttle.until.ToSeconds() > time.time()
    release = challenge.ReleaseThrottleRequest(
        user_id=USER, authenticator_id=throttle.authenticator_id
    )
    administrator.challenges.ReleaseThrottle(release)
    assert not platform.challenges.ListThrottles(request).throttles


# Looking after the user.


def list_authenticators(platform):
    listed, page_token = [], ""
    while True:
        request = enrollment.ListAuthenticatorsRequest(
            user_id=USER, page_size=1, page_token=page_token
        )
        page = platform.enrollments.ListAuthenticators(request)
        assert len(page.authenticators) == 1
        listed.extend(page.authenticators)
        page_token = page.next_page_token
        if not page_token:
            break
    assert [one.kind for one in listed] == ["totp", "recovery_code"]
    assert listed[0].display_name == "Jo's phone"
    parameters = {"algorithm": "SHA1", "digits": "6", "period_seconds": "30"}
    assert listed[0].parameters == parameters
    assert listed[1].codes_remaining == 9


# What the log says of it all.


def unpack(payload):
    """Returns the message of an event: its type is one of countersign.event.v1."""
    kind = descriptor_pool.Default().FindMessageTypeByName(payload.TypeName())
    message = message_factory.GetMessageClass(kind)()
    assert payload.Unpack(message)
    return message


def replay(auditor):
    request = audit.ReplayEventsRequest(user_id=USER)
    events = [item.event for item in auditor.audit.ReplayEvents(request)]
    positions = [event.position for event in events]
    assert positions == sorted(set(positions))
    for event in events:
        assert unpack(event.payload).DESCRIPTOR.name == event.type

    def of(kind):
        return [unpack(one.payload) for one in events if one.type == kind.DESCRIPTOR.name]

    (started,) = of(authenticators_pb2.EnrollmentStarted)
    assert started.kind == "totp" and started.record.ciphertext
    (evaluated,) = of(sign_ins_pb2.SignInEvaluated)
    verified = of(challenges_pb2.ChallengeVerified)
    assert [one.kind for one in verified] == ["totp", "recovery_code"]
    # The caller was told the same; the log knows which was which.
    replayed, wrong, *_ = of(challenges_pb2.AttemptFailed)
    assert replayed.reason == challenges_pb2.ATTEMPT_FAILURE_REPLAYED
    assert wrong.reason == challenges_pb2.ATTEMPT_FAILURE_WRONG_CODE
    (issued, *_) = of(challenges_pb2.ChallengeIssued)
    assert issued.sign_in_id == evaluated.sign_in_id

    # Whoever goes on from a position gets what came after it, and then what comes.
    request = audit.ReplayEventsRequest(user_id=USER, after_position=positions[-2], follow=True)
    following = auditor.audit.ReplayEvents(request)
    assert next(following).event.event_id == events[-1].event_id
    assert next(following).WhichOneof("item") == "caught_up_position"
    following.cancel()

    state = auditor.audit.GetStateAsOf(audit.GetStateAsOfRequest(user_id=USER))
    assert [one.kind for one in state.authenticators] == ["totp", "recovery_code"]


def main(server, key_file):
    first_key = Path(key_file).read_text().strip()
    with grpc.insecure_channel(server) as channel:
        look_around(channel)
        platform, administrator, auditor = set_up(channel, first_key)
        app = enroll(platform)
        used_code = sign_in(platform, app)
        be_refused(platform, used_code, app)
        make_mistakes(channel, platform)
        recover(platform)
        guess(platform, administrator, app)
        list_authenticators(platform)
        replay(auditor)
    print("the whole journey went as it should")


if __name__ == "__main__":
    main(*sys.argv[1:])
