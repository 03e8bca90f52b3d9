"""The DICOM network node: it receives, assembles, analyses, reports and delivers."""
