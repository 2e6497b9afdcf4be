"""S3 adapter: times are read as botocore reads them, whatever a server writes."""

from typing import Any

import pytest
from botocore.utils import parse_timestamp

from softfactory.storage.s3.times import read_time


@pytest.mark.parametrize(
    "value",
    [
        "2025-11-21T23:59:58.123Z",
        "2025-11-21T23:59:58Z",
        "2025-11-21T23:59:58.000000000Z",
        "2025-11-21T23:59:58+02:00",
        "Fri, 21 Nov 2025 23:59:58 GMT",
        "21 Nov 2025 23:59 GMT",
        "1763769598",
        "1763769598.5",
        1763769598,
    ],
)
def test_a_time_is_what_botocore_takes_it_for(value: Any) -> None:
    moment = read_time(value)

    assert moment == parse_timestamp(value)
    assert moment.tzinfo is not None


@pytest.mark.parametrize("value", ["", "soonZ", "never GMT", None])
def test_what_is_no_time_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        read_time(value)
