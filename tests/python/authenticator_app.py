"""An authenticator app with many entries: says what it reads from key URIs, and the codes it shows.

The argument is a JSON list of {"uri": ..., "times": [...]}, the output a list as long.
"""

import json
import sys

import pyotp


def scan(entry):
    totp = pyotp.parse_uri(entry["uri"])
    return {
        "issuer": totp.issuer,
        "account": totp.name,
        "algorithm": totp.digest().name,
        "digits": totp.digits,
        "period": totp.interval,
        "secret": totp.secret,
        "codes": [totp.at(time) for time in entry["times"]],
    }


json.dump([scan(entry) for entry in json.loads(sys.argv[1])], sys.stdout)
