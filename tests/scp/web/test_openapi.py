"""Whatever the OpenAPI description allows is answered, and never with a server's error."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from peers.live_page import Client
from phantoms.web_study import STUDY

BOUNDARY = "b"
EXAMPLES = 8
"""For each operation; more make the tests longer, not better: the shapes are few."""


@schemathesis.serializer("multipart/related")
def related(_context, value) -> bytes:
    """Whatever was made up, as the one part of a multipart message."""
    part = value if isinstance(value, bytes) else str(value).encode()
    return (
        f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        + part
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


@pytest.fixture
def schema(page):
    return schemathesis.openapi.from_dict(page.get("/openapi.json").json())


def test_every_operation_of_the_description(schema, page: Client) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def never_fails(case) -> None:
            for known in (False, True):
                if known and "study" in (case.path_parameters or {}):
                    case.path_parameters["study"] = STUDY
                    if "sop" in case.path_parameters:
                        case.path_parameters["sop"] = f"{STUDY}.1.1"
                headers = {"X-CSRF-Token": page.headers["X-CSRF-Token"]}
                if case.path.startswith("/dicom-web/"):
                    headers["Content-Type"] = f"multipart/related; boundary={BOUNDARY}"
                answer = case.call(base_url=str(page.base_url).rstrip("/"), headers=headers)
                assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.text)

        never_fails()


def test_the_description_is_complete(page: Client) -> None:
    described = page.get("/openapi.json").json()
    assert "Research use" in described["info"]["description"]
    paths = set(described["paths"])
    assert {"/dicom-web/studies", "/healthz", "/readyz", "/metrics", "/api/upload", "/api/studies"} <= paths
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["tags"], (method, path)
            assert operation["description"], (method, path)
    with httpx.Client(base_url=page.base_url) as client:
        assert client.get("/docs").status_code == 404  # Swagger UI would load scripts from elsewhere
