"""Every English sentence of the page, in one place."""

from inference.results import Module, Reason
from scp.gaps import Lack
from scp.objects.codes import GRADE_WORDS  # noqa: F401 - templates read it here

PRODUCT = "mammonode"
DISCLAIMER = (
    "Research use, not a diagnosis. These are unverified results of a computer; "
    "a qualified physician must read the images."
)
LOCAL_USER = "local user"

# access
WRONG_HOST = "Open the page by its loopback address (http://127.0.0.1 or http://localhost)."
HTTPS_ONLY = "This page speaks HTTPS: begin its address with https://.\n"
CROSS_SITE = "Requests from other sites are not accepted."
STALE_PAGE = "The X-CSRF-Token header is missing or old. Reload the page and try again."
LOG_IN_FIRST = "Log in first."
TOO_MANY_LOGINS = "Too many wrong passwords. Wait a few minutes and try again."
LOGIN_REFUSED = "The name or the password is wrong."
OPERATORS_ONLY = "Only an operator may do this."
LOGIN_TITLE = "Log in"
LOGIN_NAME = "Name"
LOGIN_SECRET = "Password"  # noqa: S105 - the label of a field
LOGIN_BUTTON = "Log in"
LOGOUT_BUTTON = "Log out"

# navigation
SKIP = "Skip to the content"
NAV_WORKLIST = "Worklist"
NAV_UPLOAD = "Upload"
NAV_NODE = "Node"
THEME = "Light or dark"

# errors
NODE_SILENT = "No answer from the node since {time}; what is shown may be out of date."
NOT_FOUND_TITLE = "Not here"
NO_STUDY = "No such study."
NO_IMAGE = "No such image in this study."
IMAGE_GONE = "The image is no longer kept on this node (retention). Send it again to see it."
NO_TILE = "No such tile."
NO_RESULT = "This study has no result yet."
NO_OBJECT = "This result has no such object."
NO_DESTINATION = "No such destination."
NOTHING_JUDGED = "No reader has judged a whole image of this study yet."
NO_FINDING = "No such finding in this result."
BOX_OUTSIDE = "The box lies outside the image."
UNREADABLE_RESULT = "The result on disk is damaged. Retry the study to make it again."

# worklist
WORKLIST_TITLE = "Worklist"
SEARCH = "Study or instance UID"
SENDER = "Sender (AE title)"
STATE = "State"
GRADE = "Grade"
ANY = "any"
FILTER = "Filter"
STUDY = "Study"
IMAGES = "Images"
RECEIVED = "Received"
CHANGED = "Last change"
ACTIONS = "Actions"
RETRY = "Retry"
CANCEL = "Cancel"
EMPTY_WORKLIST = "No study matches. Send images to this node's AE title, or upload some."
PREVIOUS = "Previous"
NEXT = "Next"
UNTIL = "until"
ON_ITS_WAY = "on its way"
STUDIES = "studies"

# upload
UPLOAD_TITLE = "Upload mammograms"
UPLOAD_HELP = "Drop DICOM files, a folder or a ZIP here"
UPLOAD_KEPT = "Files go to this node only. They are analysed as if a modality had sent them."
CHOOSE_FILES = "Choose files"
CHOOSE_FOLDER = "Choose a folder"
UPLOAD_NEEDS_SCRIPT = "Uploading needs JavaScript. You can also send images by C-STORE or STOW-RS."
UPLOAD_FILES = "Files"
UPLOAD_STUDIES = "Studies"
OPEN_REPORT = "Open report"
NOT_DICOM = "This is not a DICOM file."
NOT_DICOM_REMEDY = "Export the images from the PACS or modality as DICOM files."
NO_UIDS = "The file has no valid Study, Series or SOP Instance UID."
EMPTY_FILE = "The file is empty."
TRUNCATED = "The file is cut short or damaged."
TRUNCATED_REMEDY = "Copy or export it again."
OWN_RESULT = "This is a result of this product; only images are analysed."
NOT_SENT = "Not sent: the node did not answer."
NO_FILES = "No file was sent."
ENCRYPTED_ARCHIVE = "The ZIP file is encrypted. Unpack it and upload the images."
DAMAGED_ARCHIVE = "The ZIP file is damaged. Pack it again."
UNPACKS_TOO_LARGE = "The ZIP file unpacks to more than this node accepts at once. Upload it in parts."
DISK_FULL = "This node's disk is nearly full; the file was not kept."
DISK_FULL_REMEDY = "Ask the operator to free space, then upload again."


def too_many_files(most: int) -> str:
    """An archive with more files than are taken at once."""
    return f"The ZIP file holds more than {most} files. Upload it in parts."


def too_large(limit: int) -> str:
    """A request beyond web.maximum_upload."""
    return f"More than {limit >> 20} MiB in one request. Upload in parts, or raise web.maximum_upload."


def not_a_mammogram(sop_class: str) -> str:
    """A DICOM file of a class that the node does not take."""
    return f"{sop_class} is not a kind of image that this node analyses."


NOT_A_MAMMOGRAM_REMEDY = "Upload Digital Mammography X-Ray Images (For Presentation)."

# report
REPORT_TITLE = "Report"
REPORT_WAITING = "The analysis has not finished yet. This page follows it."
OVERTAKEN = "More images have come. This is the earlier result; the page follows the new analysis."
VIEWS = "Images"
NO_VIEWS = "There is no image to show."
SUMMARY = "Summary"
STUDY_GRADE = "Study"
BREAST = {"R": "Right breast", "L": "Left breast"}
BREAST_NOT_IMAGED = "not imaged"
NO_GRADE = "no grade"
WITHHELD = "No grade is given:"
GRADES_TITLE = "What the grades mean"
GRADES_NOTE = (
    "2 is not used. A grade says where the computer's score lies; it is not a radiologist's BI-RADS assessment."
)
LEGEND = (("nodule", "nodule"), ("microcalcification", "microcalcification"), ("reader", "added by a reader"))
FINDINGS = "Findings"
NO_FINDINGS = "No finding is marked."
NO_FINDINGS_IN_PART = "No finding is marked on what was analysed. The study is incomplete."
NOTHING_ANALYSED = "Not analysed."
INCOMPLETE = "incomplete"
INCOMPLETE_TITLE = "Incomplete: not everything was analysed"
BESIDE_ANALYSED = "Also excluded, where another image of the view was analysed:"
NO_MARK = "analysed, no mark"
NOT_ANALYSED_BECAUSE = "not analysed:"
ANALYSED_AT = "Analysed"
UNVERIFIED = "Research use, not a diagnosis. UNVERIFIED result of a computer."
MODULE = "Module"
SCORE = "Score"
PROBABILITY = "Probability of malignancy"
PROBABILITY_SHORT = "probability"
WHERE = "Where"
LINKED = "also seen as"
READER = "Reader"
PER_IMAGE = "Grades by image"
IMAGE = "Image"
NOT_ANALYSED = "Not analysed, and notes"
MODELS = "Models"
MODEL_VERSION = "Version"
WEIGHTS = "Weights (SHA-256)"
RECIPE = "Recipe (SHA-256)"
CALIBRATION = "Calibration"
CALIBRATED_ON = "calibrated on"
PREVALENCE = "prevalence"
NOT_CALIBRATED = "none: the score is a score, not a probability"
DOWNLOADS = "Download"
DOWNLOAD_ALL = "Everything (ZIP)"
SEND = "Send to PACS"
SEND_NOWHERE = "No destination is configured."
SHADOW = "Shadow mode: results are kept and nothing is sent."
TIMELINE = "Timeline"
DELIVERIES = "Delivery"
DESTINATION = "Destination"
ATTEMPTS = "Attempts"
NEXT_ATTEMPT = "Next attempt"
STORED = "Stored"
COMMITTED = "storage committed"
UNCOMMITTED = "storage not committed yet"
PATIENT = "Patient"
PATIENT_ID = "Patient ID"
STUDY_DATE = "Study date"
REVISION = "Revision"
UNKNOWN = "unknown"
MIRRORED = "mirrored for hanging"
TURNED = "turned upside down for hanging"
AS_STORED = "shown as stored: which side is the chest wall is not known"
CONFLICT = "PatientOrientation and the pixels name different sides for the chest wall"
NO_PIXELS = "This image cannot be shown."
OTHER_VIEWS = "Other images, not part of the hanging"
PROGRESS = "Progress and delivery"

# viewer
TOOL_PAN = "Move"
TOOL_WINDOW = "Window"
TOOL_DRAW = "Draw a missed finding"
ZOOM_IN = "Zoom in"
ZOOM_OUT = "Zoom out"
FIT = "Fit"
FULL_SIZE = "1:1"
OVERLAY = "Marks"
INVERT = "Invert"
RESET = "Reset"
ENLARGE = "Enlarge"
UNTURN = "As stored"
HELP = "Keys"
KEYS = (
    ("Tab", "from image to image and finding to finding"),
    ("+ −", "zoom; also the wheel, or two fingers"),
    ("← ↑ ↓ →", "move; also drag"),
    ("[ ]", "darker, brighter"),
    ("{ }", "less, more contrast; also drag with the right button"),
    ("0", "fit"),
    ("1", "one image pixel for one screen pixel"),
    ("Enter", "enlarge one image, and back (Escape)"),
    ("O", "marks on or off"),
    ("I", "invert"),
    ("F", "as stored, and back"),
    ("N", "next finding"),
    ("A R", "accept, reject the finding that is selected"),
)

# feedback
ACCEPT = "Accept"
BENIGN = "Benign"
REJECT = "Reject"
IMPRESSION = "Impression"
SAVE = "Save"
WITHDRAW = "Withdraw"
ACCEPTED_BY = "accepted by"
REJECTED_BY = "rejected by"
ADDED_BY = "added by"
READER_FINDINGS = "Findings added by readers"
NO_READER_FINDINGS = "None. Choose 'Draw a missed finding' and draw a box on an image."
EXPORT_SR = "Reader feedback (DICOM SR)"
EXPORT_CSV = "Reader feedback (training annotations, CSV)"
DRAW_KIND = "What is it?"
SAVED = "Saved."
NOT_SAVED = "Not saved:"
OPINION = {"malignant": "suspicious", "benign": "benign"}

# node
NODE_TITLE = "Node"
NO_MODELS = "No model was found."
DESTINATIONS = "Destinations"
NO_DESTINATIONS = "No destination is configured: results stay on this node."
QUEUE = "Queue"
LAST_ECHO = "Last C-ECHO"
ECHO_NEVER = "not tried yet"
ECHO_NOW = "Test now"
TROUBLE = "Trouble"
HEALTH = "Health"
DISK = "Disk"
GPU = "Accelerator"
NO_GPU = "none: analysing on the CPU"
WORKERS = "Workers"
ALIVE = "is at work"
SILENT = "does not answer"
NO_WORKERS = "none: nothing is analysed until mammonode serve runs"
STUDIES_BY_STATE = "Studies"
FEEDBACK_EXPORT = "Reader feedback of all studies"
NODE_NAME = "Name"
LISTENER = "Listener"
SOFTWARE = "Software"

STATES = {
    "received": "received",
    "waiting": "waiting for more images",
    "analysing": "analysing",
    "analysed": "analysed",
    "delivering": "delivering",
    "delivered": "delivered",
    "excluded": "excluded",
    "failed": "failed",
    "cancelled": "cancelled",
}
MODULES = {Module.NODULE: "Nodule", Module.MICROCALCIFICATION: "Microcalcification"}
LACKS = {
    Lack.FAILED: "FAILED",
    Lack.MODULE_FAILED: "FAILED in part",
    Lack.NOT_RECEIVED: "not received",
    Lack.EXCLUDED: "not analysed, excluded",
}
KINDS = {
    "cad-sr": "Mammography CAD SR",
    "tid1500": "Measurement report (SR)",
    "seg": "Segmentation (SEG)",
    "heatmap": "Heat map (SEG)",
    "gsps": "Presentation state",
    "secondary-capture": "Picture (secondary capture)",
    "pdf": "Report (PDF)",
    "kos": "Key objects",
}


def said(reason: Reason) -> str:
    """A coded reason for people, with what to do about it."""
    return f"{reason.text} {reason.remedy}".strip()
