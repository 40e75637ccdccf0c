"""What a payment provider tells, through the front door."""

import json
import time

import httpx

from kit.signatures import sign_timed
from tests.platform import Platform, assert_problem, eventually


def test_stripe_is_believed_what_it_has_signed(platform: Platform) -> None:
    with platform.api(roles=("integration_admin",)) as api:
        address = f"{platform.stack.base_url}/api/v1/portal/payments/stripe/{api.workspace}.events"
        body = json.dumps({"type": "charge.refunded", "data": {"object": {"id": "ch_1"}}}).encode()

        def tell(secret: str) -> httpx.Response:
            signature = sign_timed(body, secret, int(time.time()))
            headers = {"content-type": "application/json", "stripe-signature": signature}
            return httpx.post(address, content=body, headers=headers, timeout=30)

        assert_problem(tell("whsec_1"), 404, "not-found")
        secret = api.post("/workspace/secrets/payments.stripe-webhook", json={"value": "whsec_1"})
        assert secret.status_code in (200, 201), secret.text
        taken = eventually(lambda: answer if (answer := tell("whsec_1")).status_code == 200 else None)
        assert taken is not None
        assert taken.json() == {"paymentId": None}
        assert_problem(tell("whsec_2"), 401, "signature-invalid")
        for wrong in ("nowhere", "_platform.events", "UPPER.events"):
            assert (
                httpx.post(
                    f"{address.rpartition('/')[0]}/{wrong}",
                    content=body,
                    headers={
                        "content-type": "application/json",
                        "stripe-signature": sign_timed(body, "whsec_1", int(time.time())),
                    },
                ).status_code
                == 401
            )
