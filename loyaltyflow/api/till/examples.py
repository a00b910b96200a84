"""Examples of what tills send and of how they are refused, for the API's description: all are about one sale."""

from typing import Any

PLACE = {"store": "Salem", "till": "Till 1"}
SALE: dict[str, Any] = {
    **PLACE,
    "customer": 17,
    "bill": {
        "lines": [
            {"sku": "TEA-100", "quantity": 2, "amount": "30.00"},
            {"sku": "APPLES", "quantity": "0.750", "amount": "2.99"},
        ],
        "tax": "1.88",
    },
    "codes": ["SAVE10"],
    "points_to_use": 200,
}
# By the name of what is asked for.
SENT: dict[str, dict[str, Any]] = {
    "quote": SALE,
    "hold": {**PLACE, "external_id": "H-7", "customer": 17, "points": 200, "voucher": "SAVE10", "expires_in": 300},
    "commit": {**SALE, "external_id": "R-1001", "status": "completed", "hold": "H-7"},
    "refund": {**PLACE, "external_id": "B-1", "lines": [{"number": 1, "quantity": 1}]},
    "cancel": PLACE,
    "take_reward": {**PLACE, "external_id": "X-1", "customer": 17, "reward": 4},
    "cancel_reward": PLACE,
    "redeem_voucher": {**PLACE, "order": "W-9"},
    "release_voucher": {**PLACE, "order": "W-9"},
    "adjust": {"external_id": "A-1", "customer": 17, "points": 50, "reason": "goodwill", "note": "Waited long."},
}
REFUSED = {
    "error": {
        "code": "SAVE10",
        "reason": "already_redeemed",
        "detail": "It was used at Salem, Till 2 on Nov 23, 2:14 pm.",
        "current": {"redeemed_at": "2026-11-23T19:14:00+00:00", "store_location": "Salem", "till": "Till 2"},
    }
}
