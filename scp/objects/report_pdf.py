"""The result as a PDF page for people (PS3.3 A.45.1, Encapsulated PDF)."""

from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EncapsulatedPDFStorage

from scp.objects.composite import new_object
from scp.objects.content_tree import Code
from scp.objects.context import sop_reference
from scp.objects.inputs import Inputs
from scp.objects.pdf_pages import pdf_pages

CAD_REPORT = Code("111036", "DCM", "Mammography CAD Report")


def report_pdf(inputs: Inputs) -> Dataset:
    """The document, with the images it speaks of as its sources."""
    document = pdf_pages(inputs)
    ds = new_object(inputs, "pdf", EncapsulatedPDFStorage, "DOC", "report")
    ds.ConversionType, ds.BurnedInAnnotation = "WSD", "YES"
    ds.AcquisitionDateTime = None
    ds.DocumentTitle = "AI mammography findings - research use, not a diagnosis"
    ds.ConceptNameCodeSequence = CAD_REPORT.sequence()
    ds.SourceInstanceSequence = Sequence([sop_reference(inputs.source(image)) for image in inputs.referenced])
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(document)
    ds.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return ds
