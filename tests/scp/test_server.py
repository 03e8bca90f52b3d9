"""The listener before well-behaved peers: what is accepted, kept, dropped and refused, and with which status."""

import subprocess
import time

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    JPEGExtended12Bit,
    KeyObjectSelectionDocumentStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SegmentationStorage,
    generate_uid,
)
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification

from peers.dcmtk import echoscu, storescu, tool
from peers.modality import associate, send
from peers.raw_peer import ECHO, P_DATA_TF, RawPeer, p_data, store_command
from peers.raw_peer import encoded as bytes_of
from peers.waiting import wait_for
from phantoms.encoding import TRANSFER_SYNTAXES as ENCODED
from phantoms.encoding import encoded
from phantoms.mammogram import mammogram, secondary_capture, tomosynthesis, write_study
from scp.contexts import ANALYSED, JUDGED, TRANSFER_SYNTAXES

SMALL = {"rows": 64, "columns": 48}


def _document(sop_class: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    return ds


def test_stores_a_study_sent_by_dcmtk(listen, tmp_path):
    listening = listen()
    files = write_study(tmp_path / "study", **SMALL)
    sent = storescu(listening.port, files)
    assert sent.returncode == 0, sent.stderr
    assert len(listening.files) == 4
    first = dcmread(files[0])
    [spooled] = [item for item in listening.spool.instances(first.StudyInstanceUID)
                 if item.sop_instance_uid == first.SOPInstanceUID]  # fmt: skip
    assert dcmread(spooled.path) == first
    assert spooled.sender == ("MODALITY", "127.0.0.1", "MAMMONODE")
    assert spooled.path.stat().st_mode & 0o777 == 0o600
    assert spooled.path.parent.stat().st_mode & 0o777 == 0o700
    assert listening.spool.claim("w") == (first.StudyInstanceUID,)
    assert listening.arriving == []


def test_answers_verification(listen):
    assert echoscu(listen().port).returncode == 0


@pytest.mark.parametrize("sop_class", [*ANALYSED, *JUDGED])
def test_every_class_and_transfer_syntax_is_accepted(listen, sop_class):
    association = associate(listen().port, [(sop_class, syntax) for syntax in TRANSFER_SYNTAXES])
    accepted = [cx.transfer_syntax[0] for cx in association.accepted_contexts if cx.abstract_syntax == sop_class]
    assert sorted(accepted) == sorted(TRANSFER_SYNTAXES)
    association.release()


def test_nothing_lossy_is_chosen_while_the_peer_offers_better(listen):
    association = associate(listen().port, [(ANALYSED[0], tuple(reversed(TRANSFER_SYNTAXES)))])
    assert association.accepted_contexts[1].transfer_syntax == [ExplicitVRLittleEndian]
    association.release()


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_keeps_each_transfer_syntax(listen, syntax):
    listening = listen()
    ds = _encoded(syntax)
    assert [status.Status for status in send(listening.port, [ds])] == [0x0000]
    [kept] = listening.files
    deflated = syntax == DeflatedExplicitVRLittleEndian
    assert dcmread(kept).file_meta.TransferSyntaxUID == (ExplicitVRLittleEndian if deflated else syntax)
    assert dcmread(kept).PixelData == ds.PixelData


def _encoded(syntax):
    """A small image; where there is no encoder, any bytes do, as the listener looks at no codestream."""
    if syntax in ENCODED:
        return encoded(mammogram(**SMALL, bits=12 if syntax == JPEGExtended12Bit else 8), syntax)
    image = mammogram(**SMALL)
    image.file_meta.TransferSyntaxUID = syntax
    image.PixelData = encapsulate([bytes(64)])
    image["PixelData"].is_undefined_length = True
    return image


@pytest.mark.parametrize(
    "sop_class",
    [
        BasicTextSRStorage,
        SegmentationStorage,
        GrayscaleSoftcopyPresentationStateStorage,
        KeyObjectSelectionDocumentStorage,
        EncapsulatedPDFStorage,
    ],
)
def test_drops_what_a_pacs_routes_along(listen, sop_class):
    listening = listen()
    assert send(listening.port, [_document(sop_class)])[0].Status == 0x0000
    assert listening.files == []
    assert listening.arriving == []
    assert listening.spool.claim("w") == ()


def test_does_not_accept_what_is_no_longer_dropped(listen):
    listening = listen(dropped_classes=("SEG",))
    association = associate(listening.port, [(BasicTextSRStorage, ExplicitVRLittleEndian)])
    assert [cx.abstract_syntax for cx in association.rejected_contexts] == [BasicTextSRStorage]
    association.release()


def test_does_not_accept_other_modalities(listen):
    association = associate(listen().port, [(CTImageStorage, ExplicitVRLittleEndian)])
    assert [cx.abstract_syntax for cx in association.rejected_contexts] == [CTImageStorage]
    association.release()


def test_drops_our_own_results(listen):
    own = _document(BasicTextSRStorage)
    own.ManufacturerModelName = "mammonode"
    listening = listen()
    assert send(listening.port, [own])[0].Status == 0x0000
    assert listening.files == []


def test_keeps_tomosynthesis_and_secondary_captures(listen):
    multi_frame = secondary_capture(frames=2, **SMALL)
    multi_frame.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    multi_frame.file_meta.MediaStorageSOPClassUID = multi_frame.SOPClassUID
    listening = listen()
    statuses = send(listening.port, [tomosynthesis(**SMALL), secondary_capture(**SMALL), multi_frame])
    assert [status.Status for status in statuses] == [0, 0, 0]
    assert len(listening.files) == 3


def test_the_same_instance_twice_is_kept_once(listen):
    listening = listen()
    image = mammogram(**SMALL)
    send(listening.port, [image])
    listening.spool.claim("w")
    listening.spool.done("w", image.StudyInstanceUID)
    # from elsewhere, as when a PACS routes what the modality has sent already
    assert send(listening.port, [image], calling="PACS")[0].Status == 0x0000
    assert len(listening.files) == 1
    assert listening.spool.claim("w") == ()


def test_a_changed_instance_is_kept_as_a_new_version(listen):
    listening = listen()
    image = mammogram(**SMALL)
    send(listening.port, [image])
    image.PatientName = "Corrected^Name"
    send(listening.port, [image])
    assert len(listening.files) == 2
    [latest] = listening.spool.instances(image.StudyInstanceUID)
    assert dcmread(latest.path).PatientName == "Corrected^Name"


def test_command_and_data_set_must_agree(listen):
    listening = listen()
    image = mammogram(**SMALL)
    with RawPeer(listening.port) as peer:
        peer.associate()
        peer.send(store_command("1.2.3"), p_data(bytes_of(image)))
        kind, content = peer.receive()
    assert kind == P_DATA_TF
    # (0000,0900) Status, two bytes
    assert b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\xa9" in content
    assert listening.files == []
    assert listening.arriving == []


def test_missing_study_uid_is_refused(listen):
    listening = listen()
    image = mammogram(**SMALL)
    del image.StudyInstanceUID
    [status] = send(listening.port, [image])
    assert status.Status == 0xC000
    assert status.ErrorComment == "StudyInstanceUID is missing or malformed (PS3.5 9.1)"


@pytest.mark.filterwarnings("ignore:.*VR UI")  # this test is about just that
@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2/../3", "1." * 40 + "1", "1..2", ""])
def test_no_uid_leads_out_of_the_spool(listen, uid, tmp_path):
    listening = listen()
    image = mammogram(**SMALL)
    before = sorted(path for path in tmp_path.rglob("*") if path.is_dir())
    image.StudyInstanceUID = uid
    assert send(listening.port, [image])[0].Status == 0xC000
    assert sorted(path for path in tmp_path.rglob("*") if path.is_dir()) == before
    assert listening.files == []


def test_full_disk_is_out_of_resources(listen):
    listening = listen(free_space=1 << 60)
    [status] = send(listening.port, [mammogram(**SMALL)])
    assert status.Status == 0xA700
    assert status.ErrorComment == "The disk is nearly full (listener.free_space)"
    assert listening.spool.is_low
    assert listening.arriving == []


def test_a_data_set_over_the_limit_is_refused_and_leaves_nothing(listen):
    listening = listen(maximum_dataset=1 << 20)
    [status] = send(listening.port, [mammogram(rows=1024, columns=1024)])
    assert status.Status == 0xC000
    assert listening.arriving == []
    # the association lives on
    assert send(listening.port, [mammogram(**SMALL)])[0].Status == 0x0000


def test_called_ae_title_is_checked(listen, capfd):
    association = associate(listen().port, called="SOMEBODY")
    assert association.is_rejected
    assert association.acceptor.primitive.diagnostic == 7


def test_fifty_senders_at_once(listen, tmp_path):
    # fifty processes begin at once: on a small machine a sender may need its time to say its first word
    listening = listen(association_timeout=200, network_timeout=200)
    files = write_study(tmp_path / "study", [mammogram(**SMALL, seed=number) for number in range(50)])
    command = [tool("storescu"), "-aec", "MAMMONODE", "127.0.0.1", str(listening.port)]
    senders = [subprocess.Popen([*command, str(file)]) for file in files]
    assert [sender.wait(240) for sender in senders] == [0] * 50
    assert len(listening.files) == 50
    wait_for(lambda: listening.associations == 0)


@pytest.mark.alone
def test_a_sender_with_nagle_does_not_wait_for_delayed_acknowledgements(listen):
    seconds = []
    with RawPeer(listen().port) as peer:
        peer.associate(contexts=(build_context(Verification),))
        for _ in range(60):
            began = time.monotonic()
            # the second write waits in the peer's kernel until the first is acknowledged: 40 ms if that is delayed
            peer.send(ECHO[:20])
            peer.send(ECHO[20:])
            assert peer.receive()[0] == P_DATA_TF
            seconds.append(time.monotonic() - began)
    # a connection's first segments are acknowledged at once anyhow
    assert sorted(seconds[30:])[7] < 0.03
