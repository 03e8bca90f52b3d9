"""The worklist: worst first, found by what one knows, fast with many studies."""

import time

import pytest
from pydicom import dcmread
from sqlalchemy import insert

from config.destinations import Delivery
from inference.results import Reason
from peers.live_page import Client
from phantoms.told_study import incomplete_study
from phantoms.web_node import DIGEST
from phantoms.web_study import STUDY
from scp.journal_rows import SEVERITY, InstanceRow, StudyState
from scp.tables import studies

REASON = Reason(code="two-patients", text="The study holds images of two patients.", remedy="Send it again.")


@pytest.fixture
def crowd(node):
    """Five more studies."""
    for uid, state, grade, sender in (
        ("1.2.1", "delivered", 1, "MG1"),
        ("1.2.2", "delivered", 5, "MG2"),
        ("1.2.3", "analysing", None, "MG2"),
        ("1.2.4", "failed", None, "MG3"),
        ("1.2.5", "excluded", None, "MG1"),
    ):
        node.journal.record_study(uid, state=state, grade=grade, senders=(sender,), images=4)
    node.journal.record_study("1.2.4", reason=REASON)
    node.journal.record_instances("1.2.3", [InstanceRow("1.2.3", "9.9.9", "1.2", "received", None)])


def uids(client, **query) -> list[str]:
    return [study["study_instance_uid"] for study in client.get("/api/studies", params=query).json()["studies"]]


def test_worst_first(crowd, page) -> None:
    assert uids(page)[:4] == ["1.2.4", STUDY, "1.2.2", "1.2.1"]
    html = page.get("/").text
    assert html.index("1.2.4</a>") < html.index(f"{STUDY}</a>") < html.index("1.2.2</a>")
    assert "6 studies" in html


def test_what_has_no_grade_stands_above_low_suspicion(crowd, node, page) -> None:
    for uid, grade, analysed, failed in (("1.3.3", 3, 4, 0), ("1.3.4", None, 3, 1), ("1.3.5", None, 3, 0)):
        node.journal.record_study(uid, state="delivered", grade=grade, images=4, analysed=analysed, failed=failed)
    assert uids(page)[:7] == ["1.2.4", STUDY, "1.2.2", "1.3.4", "1.3.3", "1.3.5", "1.2.1"]


def test_a_study_that_lacks_something_is_not_shown_as_well_done(crowd, node, page) -> None:
    result = incomplete_study()
    node.results.revision(result.study_instance_uid, DIGEST).write_result(result)
    node.journal.record_study(result.study_instance_uid, state="delivered", images=4, analysed=2, digest=DIGEST)
    row = cell(page.get("/").text, result.study_instance_uid)
    assert '<span class="state state-incomplete">delivered, incomplete</span>' in row
    assert "1 failed: L CC; 2 not received: R MLO, L MLO" in row
    assert "delivered, incomplete" in page.get(f"/studies/{result.study_instance_uid}/history").text
    assert '<span class="state state-delivered">delivered</span>' in cell(page.get("/").text, "1.2.1")


def test_a_delivered_study_of_which_an_image_failed_can_be_tried_again(crowd, node, page) -> None:
    assert 'id="retry-1.2.1"' not in page.get("/").text
    node.journal.record_study("1.2.1", failed=1)
    assert 'id="retry-1.2.1"' in page.get("/").text
    node.journal.record_study("1.2.1", state="analysing")
    assert 'id="retry-1.2.1"' not in page.get("/").text


def test_a_study_is_found_by_whose_it_is_while_its_images_are_kept(crowd, node, page) -> None:
    header = dcmread(node.spool.instances(STUDY)[0].path, stop_before_pixels=True)
    date = f"{header.StudyDate[:4]}-{header.StudyDate[4:6]}-{header.StudyDate[6:]}"
    told = f'<span class="patient">Synthetic Mammo <small>{header.PatientID}, {date}</small></span>'
    assert told in cell(page.get("/").text, STUDY)
    assert 'class="patient"' not in cell(page.get("/").text, "1.2.1")
    node.spool.remove(STUDY, [version.path.name for version in node.spool.versions(STUDY)])
    assert 'class="patient"' not in cell(page.get("/").text, STUDY)
    assert "Synthetic" not in page.get("/api/studies").text


def test_in_shadow_mode_the_operator_is_told_that_nothing_is_sent(node, serve) -> None:
    node.settings = node.settings.model_copy(update={"delivery": Delivery(mode="shadow")})
    before = node.journal.deliveries(STUDY)
    with Client(serve(node)) as client:
        client.take_token()
        answer = client.post(f"/api/studies/{STUDY}/send", json={"destination": "archive"})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ok": False,
            "message": "The node is in shadow mode: results are kept and nothing is sent. "
            'To send again, set [delivery] mode = "send" and restart the node.',
        },
    )
    assert node.journal.deliveries(STUDY) == before


def test_a_damaged_result_does_not_end_the_list(node, page) -> None:
    folder = node.results.revision("1.2.9", DIGEST).path
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{")
    node.journal.record_study("1.2.9", state="delivered", images=4, digest=DIGEST)
    assert "state-delivered" in cell(page.get("/").text, "1.2.9")


def cell(html: str, study: str) -> str:
    """The row of one study."""
    return html.split(f'title="{study}"')[1].partition("</tr>")[0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "failed"}, ["1.2.4"]),
        ({"grade": "5"}, ["1.2.2"]),
        ({"sender": "MG3"}, ["1.2.4"]),
        ({"sender": "MG"}, []),
        ({"text": "680043"}, [STUDY]),
        ({"text": "9.9.9"}, ["1.2.3"]),
        ({"state": "delivered", "sender": "MG2"}, ["1.2.2"]),
        ({"state": "cancelled"}, []),
    ],
)
def test_filters(crowd, page, query, found) -> None:
    assert uids(page, **query) == found
    html = page.get("/", params=query).text
    assert ("No study matches." in html) == (not found)


@pytest.mark.parametrize(
    "query", [{"text": "Miller^Jane"}, {"state": "lost"}, {"grade": "2"}, {"page": "0"}, {"sender": "a\\b"}]
)
def test_what_cannot_be_asked(page, query) -> None:
    """A name typed into the search is not repeated anywhere."""
    answer = page.get("/api/studies", params=query)
    assert answer.status_code == 422
    assert "Miller" not in answer.text


def test_errors_come_with_their_remedy(crowd, page) -> None:
    html = page.get("/", params={"state": "failed"}).text
    assert REASON.text in html
    assert REASON.remedy in html
    history = page.get("/api/studies/1.2.4").json()
    assert history["study"]["reason"]["remedy"] == REASON.remedy


def test_retry_and_cancel(crowd, node, page) -> None:
    html = page.get("/").text
    assert 'data-post="/api/studies/1.2.4/retry"' in html
    assert 'data-post="/api/studies/1.2.3/cancel"' in html
    assert page.post("/api/studies/1.2.3/cancel").json()["ok"]
    assert node.journal.study("1.2.3").state is StudyState.CANCELLED
    assert page.post("/api/studies/1.2.4/retry").json()["ok"]
    assert (node.spool.inbox / "1.2.4").exists()
    assert page.post("/api/studies/1.2.99/retry").status_code == 404


def test_send_to_a_pacs(node, page) -> None:
    answer = page.post(f"/api/studies/{STUDY}/send", json={"destination": "archive"}).json()
    assert answer["ok"], answer
    (delivery,) = node.journal.deliveries(STUDY)
    assert delivery.state == "waiting"
    assert page.post(f"/api/studies/{STUDY}/send", json={"destination": "other"}).status_code == 404
    assert page.post(f"/api/studies/{STUDY}/send", json={}).status_code == 422


@pytest.mark.alone
def test_ten_thousand_studies(node, page) -> None:
    now = time.time()
    rows = [
        {
            "study_instance_uid": f"1.2.840.{number}",
            "state": state,
            "severity": SEVERITY[state],
            "grade": (None, 1, 3, 4, 5, 6)[number % 6],
            "senders": f'["MG{number % 7}"]',
            "first_received": now - number,
            "last_received": now - number,
            "updated": now - number,
            "images": 4,
        }
        for number in range(10_000)
        for state in [list(StudyState)[number % 9]]
    ]
    with node.journal.engine.begin() as connection:
        connection.execute(insert(studies), rows)
    page.get("/")
    begun = time.process_time()
    html = page.get("/").text
    assert time.process_time() - begun < 0.5  # CPU of page and client together: the clock may be others' work
    assert "10001 studies" in html
    assert html.count("<tr>") == 51
    assert "1 / 201" in html
    last = page.get("/api/studies", params={"page": 201}).json()
    assert (len(last["studies"]), last["pages"]) == (1, 201)
    assert page.get("/api/studies", params={"page": 999}).json()["page"] == 201
    everything = [uid for number in (1, 2, 3) for uid in uids(page, page=number)]
    assert len(set(everything)) == 150
